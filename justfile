# What people do here, as commands.

# What CI does: format, lints, what it is built from, tests.
check:
    ./.ci/run

test *arguments:
    ./scripts/test {{arguments}}

demo:
    cargo run --release -- demo

bench:
    cargo bench

# The pictures of the README and the book, anew.
screenshots:
    ./scripts/screenshots
