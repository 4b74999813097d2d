//! Stop words of several languages: few, in every sentence, and mostly specific to their language.

use std::sync::LazyLock;

use hashbrown::HashMap;

/// The languages whose stop words are known.
pub const LANGUAGES: [&str; 7] = ["en", "fr", "es", "pt", "de", "it", "ca"];

/// Stop words, folded, for each language of `LANGUAGES`. Stored sketches depend on them: a changed word changes sketches.
pub const STOP_WORDS: [&str; LANGUAGES.len()] = [
    "the of and to in is are was were be been being has have had do does did for on with that this these those it its by \
     from at as an a or not but which who whose their them his her he she they we our us you your i will would can could \
     should may might about into over after before more most than also all what when how where why there here if so no up \
     out now just only other some any such s t me my him then through because during until upon both each few many much \
     own same too very again further off under above below against without within between while though done having get \
     doing however since whether per via let am every another",
    "le la les l d un une des du de et en est sont ete etre etait a au aux pour par sur avec dans que qui quoi ce cet \
     cette ces son sa ses leur leurs il elle ils elles nous vous on ne pas plus ou mais comme dont ont avait avoir si se \
     sans sous entre aussi tout tous toute toutes notre nos votre vos y c n s j qu m t comment quand lors apres avant \
     depuis ainsi afin chez je tu me te lui eux meme memes cela ceci celui celle ceux celles quel quelle quels quelles \
     peut peuvent doit doivent faire soit serait sera seront etaient etant vers contre selon pendant parce car donc ni \
     autre autres chaque plusieurs tres bien encore toujours alors lorsque puis deja cependant toutefois peu hui aujourd \
     mes mon ma ta ton",
    "el la los las un una unos unas de del y e en es son fue fueron ser ha han para por sobre con que se su sus al lo le \
     les como mas pero o u sin este esta estos estas ese esa eso esto entre tambien ya muy hay cuando donde quien cual \
     nos nuestro nuestra nuestros nuestras si no ni desde hasta durante tras a ante bajo yo tu te me mi mis nosotros \
     ellos ellas usted ustedes aqui asi aunque porque segun contra hacia sea sean era eran sido siendo estan estaba tiene \
     tienen puede pueden hace hacer cada otro otra otros otras todo toda todos todas mismo misma algunos algunas \
     cualquier solo tanto tan mucho muchos muchas antes despues mediante quienes cuyo cuya ahora aun sino sera seran \
     fuera ello ella",
    "o a os as um uma uns umas de do da dos das e em no na nos nas sao foi foram ser tem para por pelo pela sobre com que \
     se seu sua seus suas ao aos mais como mas ou nao sem este esta esse essa isso entre tambem ja muito ha quando onde \
     quem qual nosso nossa nossos desde ate apos eu tu ele ela eles elas voce voces lhe lhes meu minha estes estas esses \
     essas isto estao sendo sido era eram ter pode podem fazer cada outro outra outros outras todo toda todos todas mesmo \
     mesma alguns algumas qualquer so tanto tao antes depois segundo contra num numa nesta neste nessa nesse desta deste \
     dessa desse pelos pelas porque pois assim aqui apenas sera serao estava me lo la",
    "der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine ist sind war waren sein wird \
     werden wurde wurden hat haben hatte hatten kann konnen konnte konnten muss mussen soll sollen sollte will wollen mit \
     von vom zu zum zur fur auf an am in im ins aus bei beim bis durch gegen ohne um unter uber vor nach seit wahrend \
     wegen zwischen ich du er sie es wir ihr uns sich mich mir ihm ihn ihnen mein unser unsere unserer ihre ihrer ihren \
     seine seiner seinen dass wenn weil als wie was wer wo wann auch noch nur schon sehr mehr so dann hier dort dies \
     diese dieser dieses diesen diesem alle allen alles man jede jeder jedes welche welcher sowie damit dabei dafur da ob \
     denn",
    "il lo la i gli le l un uno una di del dello della dei degli delle d a al allo alla ai agli alle all da dal dallo \
     dalla dai dagli dalle dall in nel nello nella nei negli nelle nell con su sul sullo sulla sui sugli sulle sull per \
     tra fra e ed o ma anche se che chi cui non piu come dove quando perche quale quali questo questa questi queste \
     quello quella quelli quelle sono era erano essere stato stata stati state ha hanno ho avere aveva si ci ne mi ti vi \
     lui lei loro noi voi io tu suo sua suoi sue nostro nostra mio mia tutto tutti tutta tutte ogni molto molti gia \
     ancora solo poi cosi quindi dopo prima durante secondo senza puo possono deve devono viene c s dell no",
    "el la els les l un una uns unes de del dels d al als a en amb per pel pels i o u ni no que qui com quan on perque si \
     mes pero es son era eren ser sera estat ha han hi ho va van s se em et ens us li aquest aquesta aquests aquestes \
     aquell aquella aixo tot tota tots totes molt molts tambe ja encara nomes entre sobre sense fins des dins durant seu \
     seva seus seves nostre nostra meu meva jo tu ell ella ells elles nosaltres cada altre altra altres mateix mateixa \
     sota quin quina doncs aixi despres abans fer fa pot poden n m t",
];

static BY_WORD: LazyLock<HashMap<&'static str, u8>> = LazyLock::new(|| {
    let mut table = HashMap::new();
    for (language, words) in STOP_WORDS.iter().enumerate() {
        words.split_whitespace().for_each(|word| *table.entry(word).or_insert(0) |= 1 << language);
    }
    table
});

/// One bit for each language of `LANGUAGES` in which a folded word is a stop word.
pub fn languages_of(word: &str) -> u8 {
    BY_WORD.get(word).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_shared_by_their_languages() {
        assert_eq!((languages_of("the"), languages_of("und"), languages_of("gobierno")), (0b1, 0b1_0000, 0));
        assert_eq!(languages_of("un"), 0b110_0110, "French, Spanish, Italian and Catalan");
    }
}
