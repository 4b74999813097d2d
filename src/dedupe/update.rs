//! What a title says of an updated version: "[Updated] X", "UPDATE: X", "X (mise à jour)".

use std::sync::LazyLock;

use super::words::Words;
use crate::model::sketch::{MarkedHash, WordKind, hash};

/// Folded, with their feminine and plural forms.
const MARKS: [&str; 63] = [
    "updated",
    "update",
    "updates",
    "corrected",
    "correction",
    "corrections",
    "corrigendum",
    "erratum",
    "revised",
    "maj",
    "mise",
    "mis",
    "mises",
    "actualise",
    "actualisee",
    "actualises",
    "actualisees",
    "actualisation",
    "rectificatif",
    "rectifie",
    "rectifiee",
    "corrige",
    "corrigee",
    "corriges",
    "corrigees",
    "actualizado",
    "actualizada",
    "actualizados",
    "actualizadas",
    "actualizacion",
    "corregido",
    "corregida",
    "corregidos",
    "corregidas",
    "correccion",
    "atualizado",
    "atualizada",
    "atualizados",
    "atualizadas",
    "atualizacao",
    "corrigido",
    "corrigida",
    "correcao",
    "aktualisiert",
    "aktualisierte",
    "aktualisierung",
    "korrigiert",
    "korrigierte",
    "korrektur",
    "aggiornato",
    "aggiornata",
    "aggiornati",
    "aggiornate",
    "aggiornamento",
    "corretto",
    "corretta",
    "correzione",
    "actualitzat",
    "actualitzada",
    "actualitzats",
    "actualitzades",
    "actualitzacio",
    "corregit",
];
/// What stands in a mark beside those: "mis à jour".
const BESIDE: [&str; 2] = ["a", "jour"];

fn hashes(words: &[&str]) -> Vec<u32> {
    words.iter().map(|word| MarkedHash::new(hash(word.as_bytes()), WordKind::Word).word()).collect()
}

static MARK_HASHES: LazyLock<Vec<u32>> = LazyLock::new(|| hashes(&MARKS));
static BESIDE_HASHES: LazyLock<Vec<u32>> = LazyLock::new(|| hashes(&BESIDE));

/// Whether words, as `MarkedHash::word` gives them, say that something is an update, and nothing else.
pub(super) fn is_mark(words: &[u32]) -> bool {
    words.iter().any(|word| MARK_HASHES.contains(word))
        && words.iter().all(|word| MARK_HASHES.contains(word) || BESIDE_HASHES.contains(word))
}

/// A title without the mark of an update in front of it or behind it, set apart by brackets, a colon or a dash.
pub(super) fn without_mark(title: &str) -> &str {
    let title = title.trim();
    let is_mark = |part: &str| {
        let words: Vec<u32> = Words::of(part, MARK_WORDS_MAX)
            .words
            .iter()
            .map(|word| MarkedHash::new(word.hash, word.kind).word())
            .collect();
        is_mark(&words)
    };
    let rest =
        |part: &str, rest: &'_ str| is_mark(part).then_some(rest.len()).filter(|_| !rest.trim().is_empty());
    let behind = title.split_once([']', ')', ':', '|']).and_then(|(mark, behind)| rest(mark, behind));
    if let Some(length) = behind {
        return title[title.len() - length..].trim();
    }
    let in_front = title.rsplit_once(['[', '(', '|', '–', '—']).and_then(|(front, mark)| rest(mark, front));
    in_front.map_or(title, |length| title[..length].trim())
}

/// Words of a mark.
const MARK_WORDS_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_an_update_is_no_part_of_a_title() {
        for title in [
            "[Updated] Bridge closes",
            "UPDATE: Bridge closes",
            "Bridge closes (mis à jour)",
            "(Mises à jour) Bridge closes",
            "Bridge closes – Actualizada",
            "Aktualisiert: Bridge closes",
            "Bridge closes [aggiornata]",
            "Bridge closes",
        ] {
            assert_eq!(without_mark(title), "Bridge closes", "{title}");
        }
        for title in [
            "Updated rules for bridges",
            "Bridges: update on the works",
            "[À jour] Bridge closes",
            "Update",
            "Update: ",
        ] {
            assert_eq!(without_mark(title), title.trim(), "{title}");
        }
    }
}
