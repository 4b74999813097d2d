//! Stories that were never told, the same in every run: sentences in three languages whose words are as unevenly frequent as
//! those of a language, with names, figures, links and pictures.

/// What sentences are made of.
struct Language {
    tag: &'static str,
    /// Words that bear no subject: nearly every second word of a sentence.
    little: &'static str,
    /// The most frequent words with a meaning.
    subjects: &'static str,
    /// All others are one of `PREFIXES`, a beginning and an ending.
    beginnings: &'static str,
    endings: &'static str,
    more: &'static str,
}

const LANGUAGES: [Language; 3] = [
    Language {
        tag: "en",
        little: "the of and to in a is that for on with was as by at from it this are be has an their which or will have not its they were been more who than can about also into when would other after all two there these over between our may such through during how where what most under while before both only",
        subjects: "government city budget council people report data women water law school year project plan community justice court country open access public local right work service election climate minister parliament programme information participation transparency fund member partner network policy society health reform decision meeting congress region mayor debate agreement measure platform young future change energy question process citizens consultation housing transport tax crisis neighbourhood journalist archive survey commission assembly audit contract procurement register forum workshop newsletter declaration strategy commitment evaluation",
        beginnings: "accord admin adjust adopt advoc analys approv assess benef build centr certif challeng collab commun compar conduct connect consid contrib coordin creat cultiv declar deliver demonstr deploy design determin develop direct disclos distrib document econom educ enabl engag environ establish evalu examin expand experienc explor facilit foster found gather generat guid identif implement improv includ inform innov inspect integr invest launch manag monitor negoti observ organis outlin particip perform prepar present promot protect provid publish recommend record reduc regulat represent research respons restor review signal strengthen support sustain transform valid",
        endings: "ation ed ing ment s er ers ive ively ity al ally able ance ence ional or ors ist ists ful less ness ary ure ures ent ents ism ious",
        more: "Read more",
    },
    Language {
        tag: "fr",
        little: "de la le et les des en un une du dans que pour est qui sur au par avec ce plus ne pas sont il ont aux se cette leur mais comme ou son sa ses été entre elle nous être fait aussi très sans ces deux tout tous après depuis notre même dont où sous avant lors chez ainsi afin selon pendant",
        subjects: "gouvernement ville budget conseil habitants rapport données femmes eau loi école année projet plan communauté justice tribunal pays accès public droit travail service élection climat ministre parlement programme information participation transparence fonds membre partenaire réseau politique société santé réforme décision réunion congrès région maire débat accord mesure plateforme jeunes avenir changement énergie question processus citoyens consultation logement transport impôt crise quartier journaliste archives enquête commission assemblée audit contrat marché registre forum atelier lettre déclaration stratégie engagement évaluation",
        beginnings: "accord administr ajust adopt analys approuv amélior aménag assur bénéfici bât centralis certifi collabor commun compar concert conduit connect consid constru contribu coordonn cré cultiv déclar déliv démontr déploy dessin détermin développ dirig diffus distribu document économ éduqu élabor engag environn établ évalu examin expériment explor facilit favoris fond génér guid identifi implant inform innov inspir intégr investi lanc mobilis négoci observ organis particip perform prépar présent promouv protég publi recommand réduis réglement représent respons restaur révis signal soutien transform valid",
        endings: "ation ement é ée és ées er ant ants eur eurs euse if ive ifs ique iques able ables ance ité ités iste istes ien ienne ure ures aire aires ois",
        more: "Lire la suite",
    },
    Language {
        tag: "es",
        little: "de la que el en y a los del se las por un para con no una su al es lo como más o pero sus le ha este sí porque esta entre cuando muy sin sobre también hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso ante ellos esto antes algunos qué unos otro tras según cada",
        subjects: "gobierno ciudad presupuesto consejo personas informe datos mujeres agua ley escuela año proyecto plan comunidad justicia tribunal país acceso público derecho trabajo servicio elección clima ministro parlamento programa información participación transparencia fondo miembro socio red política sociedad salud reforma decisión reunión congreso región alcalde debate acuerdo medida plataforma jóvenes futuro cambio energía pregunta proceso ciudadanos consulta vivienda transporte impuesto crisis barrio periodista archivo encuesta comisión asamblea auditoría contrato licitación registro foro taller boletín declaración estrategia compromiso evaluación",
        beginnings: "acord administr ajust adopt analiz aprob mejor asegur benefici constru centraliz certific colabor comunic compar concert conduc conect consider contribu coordin cre cultiv declar demostr despleg diseñ determin desarroll dirig difund distribu document econom educ elabor compromet establec evalu examin experiment explor facilit favorec fund gener gui identific implement inform innov inspir integr invert lanz moviliz negoci observ organiz particip prepar present promov proteg public recomend reduc reglament represent respond restaur revis señal sosten transform valid",
        endings: "ación amiento ado ada ados adas ar ando ador adora adores ivo iva ivos ivas ico icos able ables ancia idad ista istas ero era eros ura uras ario arios ante",
        more: "Leer más",
    },
];

const PREFIXES: [&str; 10] = ["", "re", "inter", "co", "pre", "sub", "trans", "multi", "anti", "contra"];
const GIVEN: &str = "Amina Beatriz Carlos Delphine Esteban Fatou Gabriel Hélène Ibrahim Joaquín Karim Lucía Mariana Nadège Olivier Paula Quentin Rosa Samuel Teresa Ulrich Valentina Wambui Ximena Yasmine Zoé Adriana Baptiste Cecilia Diego";
const FAMILY: &str = "Abad Benítez Cissé Delacroix Echeverría Fofana Gutiérrez Hamilton Ibáñez Jansen Kouassi Lefebvre Mendoza Ndiaye Ortega Peterson Quiroga Rousseau Salazar Traoré Urrutia Vargas Whitfield Yamamoto Zambrano Achebe Bouchard Castellanos Duarte Engström";
const PLACES: &str = "Abidjan Bogotá Cotonou Dakar Esmeraldas Fribourg Guadalajara Hamburg Iquitos Johannesburg Kinshasa Lyon Montevideo Nairobi Ouagadougou Paris Quito Rosario Santiago Tunis Utrecht Valparaíso Windhoek Yaoundé Zaragoza Antananarivo Bamako Cochabamba Durban Edinburgh";
const FAMILY_ENDINGS: [&str; 9] = ["", "son", "ez", "eau", "ova", "sen", "ini", "escu", "ides"];
const PLACE_ENDINGS: [&str; 9] = ["", "ville", "ton", "burg", "ito", "nova", "port", "feld", "mare"];
/// The dates lie within this many seconds before `LAST`.
const SPAN_SECONDS: i64 = 2 * 365 * 86_400;
/// 2022-10-20T06:00:00Z.
const LAST: i64 = 1_666_245_600;
/// Each odd source has every 25th story from the one before it: 2 % of all.
const SYNDICATED_EVERY: u64 = 25;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn of(parts: [u64; 3]) -> Random {
        let mut random = Random(0x5eed);
        for part in parts {
            random.0 ^= part.wrapping_mul(0x2545_f491_4f6c_dd1d);
            random.0 = random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 32) as usize * end) >> 32
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// Words of which the one at place n comes as often as 1 / (n + flatness).
struct Zipf {
    words: Vec<String>,
    places: Vec<u16>,
}

impl Zipf {
    fn new(words: Vec<String>, flatness: f64) -> Zipf {
        const STEPS: usize = 1 << 14;
        let most = (words.len() as f64 + flatness) / flatness;
        let place = |step: usize| (flatness * (most.powf((step as f64 + 0.5) / STEPS as f64) - 1.0)) as u16;
        Zipf { places: (0..STEPS).map(place).collect(), words }
    }

    fn word(&self, random: &mut Random) -> &str {
        &self.words[usize::from(self.places[random.below(self.places.len())])]
    }
}

struct Tongue {
    language: &'static Language,
    little: Zipf,
    subjects: Zipf,
}

/// One story of one source.
pub(crate) struct Story {
    pub title: String,
    pub summary: String,
    pub html: String,
    pub link: String,
    pub guid: String,
    pub picture: String,
    /// Seconds since 1970.
    pub published: i64,
}

impl Story {
    /// What is there to keep.
    pub(crate) fn bytes(&self) -> usize {
        self.title.len() + self.summary.len() + self.html.len() + self.link.len() + self.guid.len()
    }
}

fn split(words: &'static str) -> Vec<&'static str> {
    words.split(' ').collect()
}

/// Each with each, the first endings first.
fn ended(beginnings: &[&str], endings: &[&str]) -> Vec<String> {
    endings
        .iter()
        .flat_map(|ending| beginnings.iter().map(move |beginning| format!("{beginning}{ending}")))
        .collect()
}

/// Who writes.
pub(crate) struct Writer {
    tongues: Vec<Tongue>,
    given: Vec<&'static str>,
    family: Vec<String>,
    places: Zipf,
    /// Paragraphs of each story; a few where it is `None`.
    paragraphs: Option<usize>,
}

impl Writer {
    /// Writes stories of so many paragraphs, or of four to six where it is `None`.
    pub(crate) fn new(paragraphs: Option<usize>) -> Writer {
        let tongue = |language: &'static Language| {
            let mut roots = ended(&split(language.beginnings), &split(language.endings));
            // Shuffled, so that not all of one ending are frequent.
            let mut random = Random::of([roots.len() as u64, 0, 0]);
            (1..roots.len()).for_each(|at| roots.swap(at, random.below(at + 1)));
            let made =
                PREFIXES.iter().flat_map(|prefix| roots.iter().map(move |root| format!("{prefix}{root}")));
            let little = split(language.little).into_iter().map(str::to_owned).collect();
            let subjects = split(language.subjects).into_iter().map(str::to_owned).chain(made).collect();
            Tongue { language, little: Zipf::new(little, 2.0), subjects: Zipf::new(subjects, 3.0) }
        };
        let places = Zipf::new(ended(&split(PLACES), &PLACE_ENDINGS), 20.0);
        Writer {
            tongues: LANGUAGES.iter().map(tongue).collect(),
            given: split(GIVEN),
            family: ended(&split(FAMILY), &FAMILY_ENDINGS),
            places,
            paragraphs,
        }
    }

    fn tongue(&self, source: u64) -> &Tongue {
        // Two neighbours speak one language: they syndicate.
        &self.tongues[(source / 2 % 3) as usize]
    }

    /// The language of a source.
    pub(crate) fn language(&self, source: u64) -> &'static str {
        self.tongue(source).language.tag
    }

    /// A source's story by its number, the oldest first; of `count` that it had at the beginning. One that came later has
    /// its time in `published`.
    pub(crate) fn story(&self, source: u64, number: u64, count: u64, published: Option<i64>) -> Story {
        let is_copy = source % 2 == 1
            && published.is_none()
            && Random::of([source / 2, number, 1]).next().is_multiple_of(SYNDICATED_EVERY);
        let told_by = if is_copy { source - 1 } else { source };
        let tongue = self.tongue(source);
        let mut text = Random::of([told_by, number, 2]);
        let mut own = Random::of([source, number, 3]);
        let step = SPAN_SECONDS / count.max(1) as i64;
        let age = (count as i64 - 1 - number as i64) * step + (text.next() % step as u64) as i64;
        let link_date = (2020 + number % 3, number % 12 + 1);
        let title = self.title(tongue, &mut own);
        let slug: String = title
            .chars()
            .map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .filter(char::is_ascii)
            .collect();
        let summary = self.sentence(tongue, &mut text, 22);
        let html = self.html(tongue, &mut text, told_by);
        Story {
            title,
            summary,
            html,
            link: format!(
                "https://source-{source}.example/{}/{:02}/{number}-{slug}",
                link_date.0, link_date.1
            ),
            guid: format!("tag:source-{source}.example,2020:story-{number}"),
            picture: format!("https://source-{source}.example/pictures/{number}.jpg"),
            // A copy is out some hours after the story.
            published: published
                .unwrap_or(LAST - age.max(21_600) + if is_copy { (own.next() % 21_600) as i64 } else { 0 }),
        }
    }

    fn name(&self, random: &mut Random) -> String {
        format!("{} {}", random.one_of(&self.given), self.family[random.below(self.family.len())])
    }

    fn figure(random: &mut Random) -> String {
        match random.below(4) {
            0 => format!("{}%", 1 + random.below(99)),
            1 => format!("{}", 1990 + random.below(33)),
            2 => format!("{}", 2 + random.below(900)),
            _ => format!("{} {:03}", 1 + random.below(400), random.below(1_000)),
        }
    }

    fn title(&self, tongue: &Tongue, random: &mut Random) -> String {
        let mut title = self.sentence(tongue, random, 8);
        title.pop();
        if random.below(3) == 0 { format!("{}: {title}", self.places.word(random)) } else { title }
    }

    /// Some words with a full stop.
    fn sentence(&self, tongue: &Tongue, random: &mut Random, words: usize) -> String {
        let mut out = String::with_capacity(words * 8);
        let mut words = words * 3 / 4 + random.below(words / 2 + 1);
        let mut was_little = false;
        while words > 0 {
            words -= 1;
            let is_first = out.is_empty();
            if !is_first {
                out.push(' ');
            }
            let start = out.len();
            match random.below(40) {
                0 => out.push_str(&self.name(random)),
                1 => out.push_str(self.places.word(random)),
                2 if !is_first => out.push_str(&Writer::figure(random)),
                dice if dice % 2 == 0 || was_little => {
                    out.push_str(tongue.subjects.word(random));
                    was_little = false;
                }
                _ => {
                    out.push_str(tongue.little.word(random));
                    was_little = true;
                }
            }
            if is_first {
                let capital: String =
                    out[start..].chars().next().into_iter().flat_map(char::to_uppercase).collect();
                let rest = out[start..].chars().next().map_or(0, char::len_utf8);
                out.replace_range(start..start + rest, &capital);
            } else if words > 2 && random.below(12) == 0 {
                out.push(',');
            }
        }
        out.push('.');
        out
    }

    fn paragraph(&self, tongue: &Tongue, random: &mut Random) -> String {
        let sentences = 2 + random.below(3);
        (0..sentences).map(|_| self.sentence(tongue, random, 15)).collect::<Vec<_>>().join(" ")
    }

    /// Some 3.5 kB of an article as a content management system writes it.
    fn html(&self, tongue: &Tongue, random: &mut Random, source: u64) -> String {
        let mut out = format!(
            "<div class=\"entry-content\"><p style=\"text-align: left\"><strong>{}</strong></p>\n",
            self.sentence(tongue, random, 20)
        );
        out += &format!(
            "<figure class=\"wp-block-image size-large\"><img loading=\"lazy\" width=\"1024\" height=\"683\" src=\"https://source-{source}.example/pictures/{}.jpg\" alt=\"{}\" /></figure>\n",
            random.below(100_000),
            self.sentence(tongue, random, 6)
        );
        let paragraphs = self.paragraphs.unwrap_or(4 + random.below(3));
        for paragraph in 0..paragraphs {
            if paragraph == 3 {
                out += &format!("<h2 class=\"wp-block-heading\">{}</h2>\n", self.sentence(tongue, random, 5));
            }
            out += &format!(
                "<p>{} <a href=\"https://source-{}.example/{}\" target=\"_blank\" rel=\"noopener\">{}</a> {}</p>\n",
                self.paragraph(tongue, random),
                random.below(500),
                random.below(10_000),
                tongue.subjects.word(random),
                self.sentence(tongue, random, 10)
            );
        }
        if random.below(3) == 0 {
            out += &format!(
                "<blockquote><p>«&nbsp;{}&nbsp;»</p></blockquote>\n",
                self.sentence(tongue, random, 16)
            );
            out += &format!(
                "<ul><li>{}</li><li>{}</li></ul>\n",
                self.sentence(tongue, random, 8),
                self.sentence(tongue, random, 8)
            );
        }
        out + &format!(
            "<p><a href=\"https://source-{source}.example/news?page={}&amp;utm_source=rss\">{}</a></p></div>",
            random.below(40),
            tongue.language.more
        )
    }
}

/// Stories as an RSS document.
pub(crate) fn rss(source: u64, language: &str, stories: impl Iterator<Item = Story>) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>Source {source}</title><link>https://source-{source}.example/</link><language>{language}</language>\n"
    );
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    for story in stories {
        let date =
            printer.timestamp_to_string(&jiff::Timestamp::from_second(story.published).expect("a time"));
        out += &format!(
            "<item><title>{}</title><link>{}</link><guid isPermaLink=\"false\">{}</guid><pubDate>{}</pubDate><description>{}</description><enclosure url=\"{}\" type=\"image/jpeg\" length=\"84211\"/><content:encoded><![CDATA[{}]]></content:encoded></item>\n",
            story.title,
            story.link,
            story.guid,
            date.expect("a date"),
            story.summary,
            story.picture,
            story.html
        );
    }
    out + "</channel></rss>"
}
