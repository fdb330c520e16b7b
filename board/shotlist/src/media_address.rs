//! The film's name as a URL, and as ffmpeg's input.

/// Returns whether `name` is an address with a scheme, such as `rtsp://camera/1`.
fn is_address(name: &str) -> bool {
    name.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// Returns the film's name as a URL: an address as it is, an absolute path with `file://`, another
/// path relative to the shot list.
pub(crate) fn url(name: &str) -> String {
    if is_address(name) {
        return escaped(name, b"-._~:/?#[]@!$&'()*+,;=%");
    }
    let path = escaped(name, b"-._~/");
    match path.starts_with('/') {
        true => format!("file://{path}"),
        false => path,
    }
}

/// Returns the film's name so that ffmpeg opens the file of that name, whatever it is.
///
/// ffmpeg takes the part of a name before a colon for a protocol.
pub(crate) fn ffmpeg_input(name: &str) -> String {
    match is_address(name) {
        true => name.to_owned(),
        false => format!("file:{name}"),
    }
}

/// Returns the film's name for a script of ffmpeg's concat demuxer, which resolves a path from the
/// folder of the script.
///
/// A path with a colon or comma begins with `./`, because ffmpeg would see a protocol.
pub(crate) fn concat_file(name: &str) -> String {
    match !is_address(name) && !name.starts_with('/') && name.contains([':', ',']) {
        true => format!("./{name}"),
        false => name.to_owned(),
    }
}

/// Returns `text` with each byte percent-encoded that is neither alphanumeric nor in `kept`.
fn escaped(text: &str, kept: &[u8]) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            true => url.push(char::from(byte)),
            false => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::{concat_file, ffmpeg_input, url};

    #[test]
    fn names_become_urls() {
        assert_eq!(url("films/a b.mkv"), "films/a%20b.mkv");
        assert_eq!(url("/films/ü#?.mkv"), "file:///films/%C3%BC%23%3F.mkv");
        assert_eq!(url("a:b.mkv"), "a%3Ab.mkv");
        assert_eq!(url("rtsp://camera:554/1?q=<x>%20"), "rtsp://camera:554/1?q=%3Cx%3E%20");
    }

    #[test]
    fn only_addresses_choose_a_protocol_of_ffmpeg() {
        assert_eq!(ffmpeg_input("-film.mp4"), "file:-film.mp4");
        assert_eq!(ffmpeg_input("concat:a.mp4"), "file:concat:a.mp4");
        assert_eq!(ffmpeg_input("subfile,,start,0,,:file://a"), "file:subfile,,start,0,,:file://a");
        assert_eq!(ffmpeg_input("https://host/a.mp4"), "https://host/a.mp4");
    }

    #[test]
    fn paths_in_concat_scripts_choose_no_protocol() {
        assert_eq!(concat_file("films/a b.mp4"), "films/a b.mp4");
        assert_eq!(concat_file("concat:a.mp4"), "./concat:a.mp4");
        assert_eq!(concat_file("/a:b.mp4"), "/a:b.mp4");
    }
}
