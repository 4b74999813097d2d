//! The lines of a newsletter that tell one recipient to whom it was sent, and why: they say nothing to others, and often name that
//! recipient.

use ego_tree::{NodeId, NodeRef};
use scraper::{ElementRef, Html, Node};

use crate::support::text::fold;

/// Such a line is not longer, in characters.
const LINE_CHARS_MAX: usize = 300;

/// How such lines begin in the languages of the interface, folded.
const BEGINNINGS: &[&str] = &[
    // en
    "this email was sent to",
    "this e-mail was sent to",
    "this message was sent to",
    "this mail was sent to",
    "this newsletter was sent to",
    "this email has been sent to",
    "this e-mail has been sent to",
    "this message has been sent to",
    "this email is intended for",
    "this email was intended for",
    "you are receiving this",
    "you're receiving this",
    "you received this email",
    "you received this e-mail",
    "you received this message",
    "you have received this email",
    "you have received this e-mail",
    "you have received this message",
    "you receive this email",
    "you receive this e-mail",
    "you receive this newsletter",
    "sent to",
    // fr
    "cet e-mail a ete envoye a",
    "cet email a ete envoye a",
    "ce mail a ete envoye a",
    "ce courriel a ete envoye a",
    "ce message a ete envoye a",
    "cette lettre a ete envoyee a",
    "cette newsletter a ete envoyee a",
    "cette lettre d'information a ete envoyee a",
    "cet e-mail a ete adresse a",
    "cet email a ete adresse a",
    "ce message a ete adresse a",
    "ce message vous a ete envoye",
    "cet e-mail vous a ete envoye",
    "cet email vous a ete envoye",
    "vous recevez cet",
    "vous recevez ce mail",
    "vous recevez ce message",
    "vous recevez ce courriel",
    "vous recevez cette lettre",
    "vous recevez cette newsletter",
    "vous avez recu cet",
    "vous avez recu ce mail",
    "vous avez recu ce message",
    "vous avez recu ce courriel",
    "envoye a",
    // es
    "este correo fue enviado a",
    "este correo ha sido enviado a",
    "este correo se ha enviado a",
    "este correo se envio a",
    "este correo electronico fue enviado a",
    "este correo electronico ha sido enviado a",
    "este correo electronico se ha enviado a",
    "este correo electronico se envio a",
    "este email fue enviado a",
    "este email ha sido enviado a",
    "este email se ha enviado a",
    "este e-mail ha sido enviado a",
    "este e-mail fue enviado a",
    "este mensaje fue enviado a",
    "este mensaje ha sido enviado a",
    "este mensaje se ha enviado a",
    "este mensaje se envio a",
    "este boletin fue enviado a",
    "este boletin ha sido enviado a",
    "este boletin se ha enviado a",
    "has recibido este",
    "ha recibido este",
    "usted ha recibido este",
    "recibes este",
    "recibe este",
    "usted recibe este",
    "estas recibiendo este",
    "esta recibiendo este",
    "usted esta recibiendo este",
    "enviado a",
    // pt
    "este email foi enviado para",
    "este e-mail foi enviado para",
    "este email foi enviado a",
    "este e-mail foi enviado a",
    "esta mensagem foi enviada para",
    "esta mensagem foi enviada a",
    "esta newsletter foi enviada para",
    "esta newsletter foi enviada a",
    "este boletim foi enviado para",
    "este boletim foi enviado a",
    "voce esta recebendo este",
    "voce esta recebendo esta mensagem",
    "voce recebeu este",
    "voce recebeu esta mensagem",
    "recebeu este e-mail",
    "recebeu este email",
    "recebeu esta mensagem",
    "esta a receber este",
    "esta a receber esta mensagem",
    "enviado para",
    // it
    "questa e-mail e stata inviata a",
    "questa email e stata inviata a",
    "questa mail e stata inviata a",
    "questo messaggio e stato inviato a",
    "questa newsletter e stata inviata a",
    "hai ricevuto questa",
    "hai ricevuto questo messaggio",
    "ha ricevuto questa e-mail",
    "ha ricevuto questa email",
    "avete ricevuto questa",
    "ricevi questa",
    "ricevi questo messaggio",
    "stai ricevendo questa",
    "stai ricevendo questo messaggio",
    "inviato a",
    "inviata a",
    // de
    "diese e-mail wurde an",
    "diese email wurde an",
    "diese mail wurde an",
    "diese nachricht wurde an",
    "dieser newsletter wurde an",
    "sie erhalten diese",
    "sie erhalten diesen newsletter",
    "sie erhielten diese",
    "sie haben diese e-mail",
    "sie haben diese nachricht",
    "sie haben diesen newsletter",
    "du erhaltst diese",
    "du erhaltst diesen newsletter",
    "du bekommst diese",
    "gesendet an",
    // ca
    "aquest correu s'ha enviat a",
    "aquest correu ha estat enviat a",
    "aquest correu electronic s'ha enviat a",
    "aquest missatge s'ha enviat a",
    "aquest missatge ha estat enviat a",
    "aquest butlleti s'ha enviat a",
    "heu rebut aquest",
    "has rebut aquest",
    "rebeu aquest",
    "reps aquest",
    // nl
    "deze e-mail is verzonden aan",
    "deze e-mail is verzonden naar",
    "deze e-mail is verstuurd naar",
    "deze e-mail is verstuurd aan",
    "deze mail is verzonden aan",
    "deze mail is verstuurd naar",
    "dit bericht is verzonden aan",
    "dit bericht is verzonden naar",
    "deze nieuwsbrief is verzonden aan",
    "deze nieuwsbrief is verstuurd naar",
    "u ontvangt deze",
    "je ontvangt deze",
    "verzonden aan",
    // id, sw
    "email ini dikirim ke",
    "email ini dikirimkan kepada",
    "anda menerima email ini",
    "barua pepe hii ilitumwa kwa",
    "barua pepe hii imetumwa kwa",
    "umepokea barua pepe hii",
    // ru, uk
    "это письмо было отправлено",
    "это письмо отправлено",
    "это сообщение было отправлено",
    "вы получили это письмо",
    "вы получили это сообщение",
    "вы получаете это письмо",
    "цей лист було надіслано",
    "цей лист надіслано",
    "це повідомлення було надіслано",
    "ви отримали цей лист",
    "ви отримуєте цей лист",
    // ar, zh
    "تم إرسال هذه الرسالة إلى",
    "تم إرسال هذا البريد إلى",
    "لقد تلقيت هذه الرسالة",
    "لقد تلقيت هذا البريد",
    "此邮件发送至",
    "此邮件发送给",
    "本邮件发送至",
    "本邮件发送给",
    "您收到此邮件",
    "您收到这封邮件",
];

/// Beginnings of so few words may be those of other lines, unless an address follows at once.
const FULL_WORDS_MIN: usize = 3;

/// Where in a text such a sentence begins, in bytes: at its start, or behind the end of a sentence.
fn sentence_in(text: &str) -> Option<usize> {
    let ends =
        text.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?' | '|' | '·' | '•' | '。' | '\n'));
    let starts = std::iter::once(0).chain(ends.map(|(at, c)| at + c.len_utf8()));
    let mut starts = starts.map(|at| at + (text[at..].len() - text[at..].trim_start().len()));
    starts.find(|at| begins(&text[*at..]))
}

/// Whether a text begins as such a line.
fn begins(text: &str) -> bool {
    let head: String = text.chars().take(LINE_CHARS_MAX).collect();
    let folded = fold(&head).replace('’', "'");
    BEGINNINGS.iter().map(|beginning| fold(beginning)).any(|beginning| {
        let Some(rest) = folded.strip_prefix(beginning.as_str()) else { return false };
        let is_whole = !rest.starts_with(char::is_alphanumeric) || !beginning.is_ascii();
        let is_full = beginning.split(' ').count() >= FULL_WORDS_MIN || !beginning.is_ascii();
        is_whole && (is_full || rest.split_whitespace().next().is_none_or(|next| next.contains('@')))
    })
}

/// A line of plain text without such a sentence; `None` if nothing else is in it.
pub(super) fn without_sentence(line: &str) -> Option<&str> {
    match sentence_in(line).filter(|_| line.chars().count() <= LINE_CHARS_MAX) {
        Some(at) => Some(line[..at].trim_end()).filter(|kept| !kept.is_empty()),
        None => Some(line),
    }
}

/// What is to be left out of a mail for such a line: nodes, and of a text the part from a place on.
#[derive(Default)]
pub(super) struct PersonalLines {
    pub gone: Vec<NodeId>,
    pub cut: Vec<(NodeId, usize)>,
}

/// Such lines in the second half of a mail, or with an address of mail.
pub(super) fn personal_lines(page: &Html) -> PersonalLines {
    let is_read = |node: &NodeRef<Node>| {
        let parent = node.parent().and_then(ElementRef::wrap);
        parent.is_none_or(|parent| !matches!(parent.value().name(), "style" | "script" | "title"))
    };
    let texts: Vec<(NodeRef<Node>, &str)> = page
        .tree
        .root()
        .descendants()
        .filter(is_read)
        .filter_map(|node| Some((node, &*node.value().as_text()?.text)))
        .collect();
    let all: usize = texts.iter().map(|(_, text)| text.trim().len()).sum();
    let (mut found, mut before) = (PersonalLines::default(), 0);
    for (node, text) in texts {
        before += text.trim().len();
        let Some(at) = sentence_in(text) else { continue };
        let rest = rest_of_line(node);
        let said: String = rest.iter().flat_map(NodeRef::descendants).filter_map(text_of_node).collect();
        let line = format!("{}{said}", &text[at..]);
        let is_footer = line.contains('@') || before * 2 > all;
        if is_footer && line.chars().count() <= LINE_CHARS_MAX {
            found.cut.push((node.id(), at));
            found.gone.extend(rest.iter().map(NodeRef::id));
        }
    }
    found
}

fn text_of_node<'a>(node: NodeRef<'a, Node>) -> Option<&'a str> {
    node.value().as_text().map(|text| &*text.text)
}

/// What follows a text on its line: up to a break, or to the end of the block.
fn rest_of_line<'a>(text: NodeRef<'a, Node>) -> Vec<NodeRef<'a, Node>> {
    let ends = |node: &NodeRef<Node>| {
        node.value().as_element().is_some_and(|element| element.name() == "br" || !is_inline(element.name()))
    };
    let (mut rest, mut at) = (Vec::new(), text);
    loop {
        for next in at.next_siblings() {
            if ends(&next) {
                return rest;
            }
            rest.push(next);
        }
        match at.parent() {
            Some(parent) if parent.value().as_element().is_some_and(|around| is_inline(around.name())) => {
                at = parent;
            }
            _ => return rest,
        }
    }
}

fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr" | "b" | "em" | "font" | "i" | "img" | "small" | "span" | "strong" | "sub" | "sup" | "u"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_says_to_whom_and_why_is_known_in_each_language() {
        for line in [
            "This email was sent to ana@in.example",
            "Cet e-mail a été envoyé à ana@in.example",
            "Ce courriel a été envoyé à l'adresse ana@in.example par la ville.",
            "Este correo electrónico ha sido enviado a ana@in.example.",
            "Este e-mail foi enviado para ana@in.example",
            "Questa email è stata inviata a ana@in.example",
            "Diese E-Mail wurde an ana@in.example gesendet.",
            "Aquest correu s’ha enviat a ana@in.example",
            "Deze e-mail is verzonden aan ana@in.example",
            "Это письмо было отправлено на адрес ana@in.example",
            "Цей лист надіслано на адресу ana@in.example",
            "Email ini dikirim ke ana@in.example",
            "Barua pepe hii ilitumwa kwa ana@in.example",
            "此邮件发送至 ana@in.example",
            "تم إرسال هذه الرسالة إلى ana@in.example",
            "You are receiving this email because you opted in via our website.",
            "Sent to ana@in.example",
        ] {
            assert_eq!(without_sentence(line), None, "{line}");
        }
        assert_eq!(without_sentence("© Town 2022. This email was sent to a@b.example"), Some("© Town 2022."));
        for line in [
            "Sent to prison for ten years",
            "Enviado a la escuela",
            "The letter was sent to the mayor",
            "Vous recevez la visite du maire",
            "This email was sentimental",
        ] {
            assert_eq!(without_sentence(line), Some(line));
        }
    }
}
