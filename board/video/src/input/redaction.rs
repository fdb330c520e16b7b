//! Finds the credentials in the text of an address.
//!
//! Too much is hidden rather than too little: an address with unescaped special characters can be
//! read in several ways, and the credentials of each of them are hidden.

use super::syntax::{Syntax, decoded};

/// What stands in place of credentials.
const HIDDEN: &str = "***";

/// Shortest text that is replaced in the messages of other libraries. Shorter ones occur in other
/// words.
const SHORTEST: usize = 3;

/// Options of server addresses whose values are shown. Other values may be credentials, unless they
/// are short numbers.
const HARMLESS: [&str; 18] = [
    "via",
    "transport",
    "latency_ms",
    "shorter",
    "stall_s",
    "threads",
    "fps",
    "size",
    "channel",
    "subtype",
    "stream",
    "camera",
    "profile",
    "resolution",
    "unicast",
    "proto",
    "videocodec",
    "live",
];

/// Parts of names that credentials have.
const CREDENTIALS: [&str; 15] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "auth",
    "key",
    "cred",
    "user",
    "login",
    "signature",
    "session",
    "cookie",
    "header",
    "jwt",
    "streamid",
];

/// Whole names that credentials have.
const WHOLE_NAMES: [&str; 7] = ["pw", "sig", "pin", "code", "account", "proxy-id", "proxy-pw"];

/// The text of an address without its credentials, and these.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Redaction {
    /// With `***` in place of each credential.
    pub shown: String,
    /// The credentials in every form that a message may hold them in, the longest first.
    secrets: Vec<String>,
}

impl Redaction {
    /// Finds the credentials in `text`.
    pub fn new(text: &str) -> Self {
        let mut secrets = Secrets::default();
        let shown = address(text, &mut secrets);
        Redaction { shown, secrets: secrets.in_all_forms() }
    }

    /// Returns whether anything is hidden.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Returns `text` with `***` in place of each credential.
    pub fn apply(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
    }
}

/// Returns an option of an address, as `name=value`, without its value where that may be a
/// credential.
pub(super) fn option(option: &str) -> String {
    let (name, value) = option.split_once('=').unwrap_or(("", option));
    match name {
        _ if !is_credential(name) && !value.contains('@') => option.to_owned(),
        "" => HIDDEN.to_owned(),
        _ => format!("{name}={HIDDEN}"),
    }
}

/// The credentials that were found.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        self.0.push(secret.to_owned());
    }

    /// Adds a login, its password, and the pieces that a library takes it for that splits the
    /// address elsewhere.
    fn add_login(&mut self, login: &str) {
        self.add(login);
        if let Some((_, password)) = login.split_once(':') {
            self.add(password);
            password.split(['@', ':', '/', '?', '#', '&']).for_each(|piece| self.add(piece));
        }
    }

    fn in_all_forms(self) -> Vec<String> {
        let forms = self.0.into_iter().flat_map(|secret| [decoded(&secret), secret]);
        let mut forms: Vec<String> = forms.filter(|form| form.chars().count() >= SHORTEST).collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        forms
    }
}

/// Returns the address `text` without its credentials.
fn address(text: &str, secrets: &mut Secrets) -> String {
    let Some((scheme, rest)) = split_scheme(text) else {
        // A scheme that was encoded too is none, and what follows it is a login all the same.
        let plain = decoded(text);
        return if split_scheme(&plain).is_some() { address(&plain, secrets) } else { path(text, secrets) };
    };
    let start = &text[..text.len() - rest.len()];
    match Syntax::of_scheme(scheme) {
        Syntax::Pipeline => {
            // Percent-encoding stays as it is where there is nothing to hide.
            let whole = decoded(rest);
            let shown = pipeline(&whole, secrets);
            if shown == whole { text.to_owned() } else { format!("{start}{shown}") }
        }
        Syntax::Local => format!("{start}{}", local(rest, secrets)),
        Syntax::Server => format!("{start}{}", server(rest, secrets)),
    }
}

/// Splits `scheme:/rest`, with any number of slashes: one too few makes no address, but holds
/// credentials all the same.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(of_scheme);
    (is_scheme && rest.starts_with('/')).then(|| (scheme, rest.trim_start_matches('/')))
}

/// Returns a path without the credentials of a server's address that lacks its scheme.
fn path(text: &str, secrets: &mut Secrets) -> String {
    let rest = text.strip_prefix("//").unwrap_or(text);
    let start = &text[..text.len() - rest.len()];
    let login = rest.rfind('@').filter(|&at| {
        let host = &rest[at + 1..];
        let first = rest.split('/').next().unwrap_or_default();
        first.contains(':')
            && (host.contains('/') || host.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ':')))
    });
    match login {
        Some(at) => {
            secrets.add_login(&rest[..at]);
            format!("{start}{HIDDEN}{}", local(&rest[at..], secrets))
        }
        None => format!("{start}{}", local(rest, secrets)),
    }
}

/// Returns what follows the scheme of a local address, or a path, without options that are
/// credentials.
fn local(rest: &str, secrets: &mut Secrets) -> String {
    let Some((path, query)) = rest.split_once('?') else { return rest.to_owned() };
    let shown = query.split('&').map(|written| match written.split_once('=') {
        Some((name, value)) if is_credential(name) && !value.is_empty() => {
            secrets.add(value);
            format!("{name}={HIDDEN}")
        }
        _ => written.to_owned(),
    });
    format!("{path}?{}", shown.collect::<Vec<_>>().join("&"))
}

/// Returns what follows the scheme of a server's address without the login and whatever else may be
/// a credential.
fn server(rest: &str, secrets: &mut Secrets) -> String {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').filter(|_| !authority.ends_with(']')).map(|(_, port)| port);
    let (shown, rest) = match rest.rfind('@') {
        // In `cam/x:y@z` the server is `cam`. In `a:b/c@d` it may be `a` or `d`.
        Some(at) if authority.contains('@') || port.is_some() => {
            secrets.add_login(&rest[..at]);
            (format!("{HIDDEN}@"), &rest[at + 1..])
        }
        // A login whose server is missing, or was cut off by a blank.
        _ if port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit())) => {
            secrets.add_login(rest);
            return HIDDEN.to_owned();
        }
        _ => (String::new(), rest),
    };
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = named_in_path(&fragment(path, secrets), secrets);
    let query = query.map(|query| query.split('&').map(|option| server_option(option, secrets)).collect::<Vec<_>>());
    let query = query.map_or(String::new(), |options| format!("?{}", options.join("&")));
    format!("{shown}{path}{query}")
}

/// Returns one option of a server's address, without its value unless that is known to be harmless.
fn server_option(option: &str, secrets: &mut Secrets) -> String {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_');
    let is_known = HARMLESS.contains(&name) && value.len() <= 32 && value.chars().all(plain);
    // So that inputs that differ in a number alone, as `?id=12`, can be told apart.
    let is_number = (1..=6).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    if option.is_empty() || is_known || is_number && !is_credential(name) {
        return option.to_owned();
    }
    match option.split_once('=') {
        Some((name, value)) => {
            secrets.add(value);
            format!("{name}={}", if value.is_empty() { "" } else { HIDDEN })
        }
        None => {
            secrets.add(option);
            HIDDEN.to_owned()
        }
    }
}

/// Returns a server's path without credentials that some cameras have there, as in
/// `/user=admin_password=x_channel=1`.
fn named_in_path(path: &str, secrets: &mut Secrets) -> String {
    let Some(at) = path.find('=') else { return path.to_owned() };
    let name = path[..at].rsplit(['/', '&', ';', '_', ',']).next().unwrap_or_default();
    if is_credential(name) {
        // Whatever follows: nobody knows where the value ends.
        secrets.add(&path[at + 1..]);
        path[at + 1..]
            .split(['&', ';', '_', '/', '='])
            .filter(|piece| piece.len() > 4)
            .for_each(|piece| secrets.add(piece));
        return format!("{}={HIDDEN}", &path[..at]);
    }
    format!("{}={}", &path[..at], named_in_path(&path[at + 1..], secrets))
}

/// Returns a path without its fragment, which no server sees, and which may be the rest of a
/// password.
fn fragment(path: &str, secrets: &mut Secrets) -> String {
    match path.split_once('#') {
        Some((path, rest)) if !rest.is_empty() => {
            secrets.add(rest);
            format!("{path}#{HIDDEN}")
        }
        _ => path.to_owned(),
    }
}

/// Returns the text of a pipeline without the values of properties that are, or hold, credentials.
fn pipeline(text: &str, secrets: &mut Secrets) -> String {
    let mut shown = String::new();
    let mut end = 0;
    for (from, to) in assignments(text) {
        shown += &text[end..from];
        shown += &assignment(&text[from..to], secrets);
        end = to;
    }
    shown + &text[end..]
}

/// Returns one word of a pipeline, or one `name = value`, without credentials.
fn assignment(word: &str, secrets: &mut Secrets) -> String {
    let (name, value) = word.split_once('=').unwrap_or(("", word));
    let start = &word[..word.len() - value.len()];
    let plain = value.trim().trim_matches(['"', '\'']);
    let hide = |secrets: &mut Secrets| {
        secrets.add(plain);
        secrets.add(&plain.replace('\\', ""));
        format!("{start}{HIDDEN}")
    };
    if plain.is_empty() {
        word.to_owned()
    } else if is_credential(name.trim().trim_matches(['"', '\''])) {
        hide(secrets)
    } else if split_scheme(plain).is_some() {
        let shown = address(plain, secrets);
        if shown == plain { word.to_owned() } else { format!("{start}{shown}") }
    } else if plain.contains('@') {
        hide(secrets)
    } else {
        word.to_owned()
    }
}

/// Returns where the words of a pipeline begin and end, those around a `=` as one.
fn assignments(text: &str) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (from, to) in words(text) {
        let joined =
            text[from..to].starts_with('=') || spans.last().is_some_and(|&(_, end)| text[..end].ends_with('='));
        match spans.last_mut() {
            Some(last) if joined => last.1 = to,
            _ => spans.push((from, to)),
        }
    }
    spans
}

/// Returns where the words of a pipeline begin and end; a word may hold quoted or escaped blanks.
fn words(text: &str) -> Vec<(usize, usize)> {
    let (mut words, mut begun, mut quote, mut escaped) = (Vec::new(), None, None, false);
    for (at, c) in text.char_indices() {
        let blank = c.is_whitespace() && quote.is_none() && !escaped;
        match (begun, blank) {
            (None, false) => begun = Some(at),
            (Some(from), true) => {
                words.push((from, at));
                begun = None;
            }
            _ => {}
        }
        match quote {
            _ if escaped => escaped = false,
            _ if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
    }
    words.extend(begun.map(|from| (from, text.len())));
    words
}

/// Returns whether an option or a property with this name is a credential.
fn is_credential(name: &str) -> bool {
    let name = decoded(name).to_ascii_lowercase();
    CREDENTIALS.iter().any(|part| name.contains(part))
        || WHOLE_NAMES.contains(&&*name)
        || name.ends_with("-pw")
        || name.ends_with("_pw")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Redaction::new(text).shown
    }

    #[test]
    fn logins_of_servers_are_hidden_however_they_are_written() {
        for (given, expected) in [
            ("rtsp://me:CANARY@cam:554/a?transport=tcp", "rtsp://***@cam:554/a?transport=tcp"),
            ("rtsp://user:CAN@RY#w?rd@host/1", "rtsp://***@host/1"),
            ("rtsp://user:CAN/ARY@host/1", "rtsp://***@host/1"),
            ("rtsp://user:12/CANARY@host/1", "rtsp://***@host/1"),
            ("rtsp://user:CANARY%40x@[fe80::1]:554/1", "rtsp://***@[fe80::1]:554/1"),
            ("RTSPS://CANARY@host/1", "RTSPS://***@host/1"),
            ("https://user:CANARY@host/a@b", "https://***@b"),
            ("rtsp://user:CANARY", "rtsp://***"),
            ("gopher://user:CANARY@host", "gopher://***@host"),
            ("rtsp:/user:CANARY@host/1", "rtsp:/***@host/1"),
            ("user:CANARY@192.168.1.20", "***@192.168.1.20"),
            ("user:CANARY@cam/1", "***@cam/1"),
            ("//user:CANARY@cam/1", "//***@cam/1"),
        ] {
            assert_eq!(shown(given), expected);
        }
    }

    #[test]
    fn options_of_servers_are_hidden_unless_they_are_known_to_be_harmless() {
        for (given, expected) in [
            ("http://cam/a.mp4?token=CANARY&channel=2", "http://cam/a.mp4?token=***&channel=2"),
            ("http://cam/a.mp4?CANARY", "http://cam/a.mp4?***"),
            ("http://cam/a?id=12&pin=1234", "http://cam/a?id=12&pin=***"),
            ("http://cam/a?X-Amz-Signature=CANARY&user=me", "http://cam/a?X-Amz-Signature=***&user=***"),
            ("http://cam/a?password=CAN&ARY?x#y", "http://cam/a?password=***&***"),
            ("http://cam/a?channel=1#CANARY", "http://cam/a?channel=***"),
            ("http://cam/a#access_token=CANARY", "http://cam/a#***"),
            ("http://cam/a#CANARY", "http://cam/a#***"),
            ("rtsp://cam/user=me_password=CANARY_channel=1", "rtsp://cam/user=***"),
            ("test://?password=CANARY&live=1", "test://?password=***&live=1"),
            ("folder?token=CANARY&fps=12", "folder?token=***&fps=12"),
        ] {
            assert_eq!(shown(given), expected);
        }
    }

    #[test]
    fn properties_of_pipelines_are_hidden_where_they_hold_credentials() {
        for (given, expected) in [
            (
                "rtspsrc location=rtsp://me:CANARY@cam/1 latency=100 ! rtph264depay",
                "rtspsrc location=rtsp://***@cam/1 latency=100 ! rtph264depay",
            ),
            ("rtspsrc user-id=me user-pw=\"CANARY x\" ! a", "rtspsrc user-id=*** user-pw=*** ! a"),
            ("rtspsrc user-pw = CAN\\ ARY ! a", "rtspsrc user-pw =*** ! a"),
            (
                "souphttpsrc location=\"http://cam/a?token=CANARY\" ! a",
                "souphttpsrc location=http://cam/a?token=*** ! a",
            ),
            ("srtsrc passphrase=CANARY uri=srt://h:1 ! a", "srtsrc passphrase=*** uri=srt://h:1 ! a"),
            ("rtspsrc location=rtsp:%2F%2Fme:CANARY%40cam/1", "rtspsrc location=rtsp://***@cam/1"),
            ("rtspsrc location=rtsp://me:CAN ARY@cam/1", "rtspsrc location=rtsp://*** ***"),
            ("souphttpsrc extra-headers=\"h,Authorization=CANARY\" ! a", "souphttpsrc extra-headers=*** ! a"),
        ] {
            assert_eq!(shown(&format!("gst-launch://{given}")), format!("gst-launch://{expected}"));
        }
    }

    #[test]
    fn addresses_without_credentials_are_shown_as_they_are() {
        for plain in [
            "-",
            "films/a b.mp4",
            "/films/12:30 me@work/a.mp4",
            "12:30 me@work.mp4",
            "what?.mp4",
            "file:///a%20b.mp4",
            "test://?seconds=8&fps=24&colour=red",
            "v4l2:///dev/video0?size=640x480&auto_exposure=1",
            "csi:///base/soc/i2c0mux/i2c@1/imx219@10",
            "rtsp://cam:554/live?transport=udp&latency_ms=50",
            "rtsp://cam/x:y@z",
            "rtsp://[fe80::1]/1",
            "gst-launch://videotestsrc pattern=ball ! video/x-raw,format=NV12,framerate=30/1?stall_s=9",
            "gst-launch://multifilesrc location=%2505d.png ! pngdec",
        ] {
            assert_eq!(shown(plain), plain);
        }
    }

    #[test]
    fn credentials_are_taken_out_of_messages_in_every_form() {
        let redaction = Redaction::new("rtsp://user:CAN%40ARY@host/1");
        for message in ["no CAN@ARY", "no CAN%40ARY", "no user:CAN@ARY@host", "user:CAN%40ARY"] {
            let redacted = redaction.apply(message);
            assert!(!redacted.contains("CAN") && redacted.contains(HIDDEN), "{redacted}");
        }
        let redaction = Redaction::new("rtsp://user:CANARY#w?rd@host/1");
        assert_eq!(redaction.apply("cannot resolve CANARY"), "cannot resolve ***");
    }

    #[test]
    fn options_in_errors_lose_their_values() {
        assert_eq!(option("password=x"), "password=***");
        assert_eq!(option("x@host/1"), "***");
        assert_eq!(option("colour=red"), "colour=red");
    }
}
