//! Writes XML and escapes text for it.

/// Returns `text` for an attribute or an element of XML or HTML.
///
/// U+FFFD replaces characters that XML cannot hold, even as a reference.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(c))),
            '\u{0}'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// An XML document that is being written, with an element a line.
#[derive(Debug, Default)]
pub(crate) struct XmlWriter {
    text: String,
    open: Vec<&'static str>,
}

impl XmlWriter {
    /// Starts a document of the document type `doctype`.
    pub(crate) fn new(doctype: &str) -> Self {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE {doctype}>\n");
        XmlWriter { text, open: Vec::new() }
    }

    /// Opens an element.
    pub(crate) fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, ">\n");
        self.open.push(name);
    }

    /// Writes an empty element.
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, "/>\n");
    }

    /// Writes an element that holds text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.tag(name, &[], ">");
        self.text.push_str(&escaped(text));
        self.text.push_str(&format!("</{name}>\n"));
    }

    /// Closes the innermost open element.
    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            self.text.push_str(&format!("</{name}>\n"));
        }
    }

    /// Closes all elements and returns the document.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) {
        self.indent();
        self.text.push_str(&format!("<{name}"));
        for (key, value) in attributes {
            self.text.push_str(&format!(" {key}=\"{}\"", escaped(value)));
        }
        self.text.push_str(end);
    }

    fn indent(&mut self) {
        self.text.extend(self.open.iter().map(|_| "  "));
    }
}

#[cfg(test)]
mod tests {
    use super::{XmlWriter, escaped};

    #[test]
    fn no_text_ends_its_attribute_or_element() {
        assert_eq!(escaped("<a b='\"&]]>\n\u{1b}\u{ffff}é"), "&lt;a b=&#39;&quot;&amp;]]&gt;&#10;\u{fffd}\u{fffd}é");
    }

    #[test]
    fn elements_nest() {
        let mut xml = XmlWriter::new("a");
        xml.open("a", &[("k", "1\"2")]);
        xml.empty("b", &[]);
        xml.text("c", "<");
        let expected = "<a k=\"1&quot;2\">\n  <b/>\n  <c>&lt;</c>\n</a>\n";
        assert!(xml.finish().ends_with(expected));
    }
}
