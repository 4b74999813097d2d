"""Asks a running API what its OpenAPI document promises (schemathesis): good and bad requests of all kinds, made from the document,
and whether each answer is one that it describes.

    api_check.py ADDRESS [TOKEN]
"""

import pathlib
import subprocess
import sys
import tempfile

address, *token = sys.argv[1:]

# A value may fit its type and still be wrong, such as a topic that there is not: that is 422.
CONFIG = """\
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "415", "422"]
"""

with tempfile.TemporaryDirectory() as folder:
    config = pathlib.Path(folder) / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"),
        "--config-file", str(config),
        "run", f"http://{address}/api/v1/openapi.json",
        "--url", f"http://{address}",
        "--checks", "all",
        "--phases", "examples,coverage,fuzzing",
        "--max-examples", "20",
        "--seed", "1",
        "--continue-on-failure",
        "--warnings", "off",
    ]
    for value in token:
        command += ["--header", f"Authorization: Bearer {value}"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

print(ran.stdout)
sys.stderr.write(ran.stdout + ran.stderr)
sys.exit(ran.returncode)
