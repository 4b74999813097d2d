//! The words of a language that bear no subject: few, in every sentence, and mostly its own. Knows no type of ours.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The languages whose little words are known.
pub const LANGUAGES: [&str; 4] = ["en", "fr", "es", "pt"];

/// Folded, for each language of `LANGUAGES`.
pub const LITTLE_WORDS: [&str; 4] = [
    "the of and to in is are was were be been being has have had do does did for on with that this these those it its by from at as an a or not but which who \
     whose their them his her he she they we our us you your i will would can could should may might about into over after before more most than also all what \
     when how where why there here if so no up out now just only other some any such s t",
    "le la les l d un une des du de et en est sont ete etre etait a au aux pour par sur avec dans que qui quoi ce cet cette ces son sa ses leur leurs il elle ils \
     elles nous vous on ne pas plus ou mais comme dont ont avait avoir si se sans sous entre aussi tout tous toute toutes notre nos votre vos y c n s j qu m t \
     comment quand lors apres avant depuis ainsi afin chez",
    "el la los las un una unos unas de del y e en es son fue fueron ser ha han para por sobre con que se su sus al lo le les como mas pero o u sin este esta estos \
     estas ese esa eso esto entre tambien ya muy hay cuando donde quien cual nos nuestro nuestra nuestros nuestras si no ni desde hasta durante tras a ante bajo",
    "o a os as um uma uns umas de do da dos das e em no na nos nas sao foi foram ser tem para por pelo pela sobre com que se seu sua seus suas ao aos mais como mas \
     ou nao sem este esta esse essa isso entre tambem ja muito ha quando onde quem qual nosso nossa nossos desde ate apos",
];

static BY_WORD: LazyLock<HashMap<&'static str, u8>> = LazyLock::new(|| {
    let mut table = HashMap::new();
    for (language, words) in LITTLE_WORDS.iter().enumerate() {
        words.split_whitespace().for_each(|word| *table.entry(word).or_insert(0) |= 1 << language);
    }
    table
});

/// A bit for each language of `LANGUAGES` in which a folded word bears no subject.
pub fn languages_of(word: &str) -> u8 {
    BY_WORD.get(word).copied().unwrap_or(0)
}
