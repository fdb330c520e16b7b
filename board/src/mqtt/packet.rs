//! Packets of MQTT 3.1.1, as far as a client needs them that publishes and listens to a few topics
//! (<https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html>).

/// Maximum bytes of a packet of the broker. Those of this client's topics are much shorter.
const MAX_INCOMING: usize = 64 << 10;

/// Maximum bytes of a topic and of any other text.
pub(super) const MAX_TEXT: usize = 0xffff;

/// Maximum bytes of a payload, far below the protocol's 256 MiB.
pub(super) const MAX_PAYLOAD: usize = 1 << 20;

/// A message of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub topic: &'a str,
    pub payload: &'a [u8],
    pub is_retained: bool,
}

/// What a client says when it connects. Always a clean session.
pub(super) struct Connect<'a> {
    pub client: &'a str,
    pub keep_alive_s: u16,
    /// Message that the broker publishes when the connection is lost.
    pub will: Message<'a>,
    pub user: Option<&'a str>,
    pub password: Option<&'a [u8]>,
}

/// A packet of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// The answer to CONNECT: 0, or why the broker refuses.
    Connected(u8),
    /// The broker has the message with this number.
    Confirmed(u16),
    /// The answer to SUBSCRIBE: whether the broker refuses a topic.
    Subscribed {
        /// Whether one of the topics is refused.
        is_refused: bool,
    },
    /// A message of a topic that the client listens to.
    Published {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
    },
    /// The answer to a ping.
    Pong,
}

/// A packet that breaks the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not speak MQTT 3.1.1: {0}")]
pub(super) struct Malformed(&'static str);

/// Appends a CONNECT packet.
pub(super) fn connect(packets: &mut Vec<u8>, options: &Connect<'_>) {
    const CLEAN_SESSION: u8 = 1 << 1;
    const WILL: u8 = 1 << 2;
    const WILL_AT_LEAST_ONCE: u8 = 1 << 3;
    const WILL_RETAINED: u8 = 1 << 5;
    const PASSWORD: u8 = 1 << 6;
    const USER: u8 = 1 << 7;
    let mut flags = CLEAN_SESSION | WILL | WILL_AT_LEAST_ONCE;
    for (flag, is_set) in [
        (WILL_RETAINED, options.will.is_retained),
        (USER, options.user.is_some()),
        (PASSWORD, options.password.is_some()),
    ] {
        flags |= if is_set { flag } else { 0 };
    }
    let mut body = b"\0\x04MQTT\x04".to_vec();
    body.push(flags);
    body.extend(options.keep_alive_s.to_be_bytes());
    let texts = [options.client.as_bytes(), options.will.topic.as_bytes(), options.will.payload];
    let login = [options.user.map(str::as_bytes), options.password];
    texts.into_iter().chain(login.into_iter().flatten()).for_each(|bytes| text(&mut body, bytes));
    packet(packets, 0x10, &body);
}

/// Appends a PUBLISH packet: at least once with the number `confirm`, which the broker confirms,
/// and at most once without.
pub(super) fn publish(packets: &mut Vec<u8>, message: &Message<'_>, confirm: Option<u16>) {
    let mut body = Vec::with_capacity(message.topic.len() + message.payload.len() + 4);
    text(&mut body, message.topic.as_bytes());
    body.extend(confirm.iter().flat_map(|number| number.to_be_bytes()));
    body.extend(message.payload);
    packet(packets, 0x30 | u8::from(confirm.is_some()) << 1 | u8::from(message.is_retained), &body);
}

/// Appends a SUBSCRIBE packet for `topics`, at most once each.
pub(super) fn subscribe<'a>(packets: &mut Vec<u8>, number: u16, topics: impl IntoIterator<Item = &'a str>) {
    let mut body = number.to_be_bytes().to_vec();
    for topic in topics {
        text(&mut body, topic.as_bytes());
        body.push(0);
    }
    packet(packets, 0x82, &body);
}

/// Appends a PINGREQ packet.
pub(super) fn ping(packets: &mut Vec<u8>) {
    packet(packets, 0xc0, &[]);
}

/// Appends a DISCONNECT packet, after which the broker forgets the will.
pub(super) fn disconnect(packets: &mut Vec<u8>) {
    packet(packets, 0xe0, &[]);
}

/// Appends a packet with this first byte.
fn packet(packets: &mut Vec<u8>, first: u8, body: &[u8]) {
    packets.push(first);
    let mut rest = body.len();
    loop {
        let digit = (rest % 128) as u8;
        rest /= 128;
        packets.push(digit | if rest > 0 { 128 } else { 0 });
        if rest == 0 {
            break;
        }
    }
    packets.extend(body);
}

/// Appends bytes with their length before them. No more than [`MAX_TEXT`] of them.
fn text(body: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..MAX_TEXT).unwrap_or(bytes);
    body.extend((bytes.len() as u16).to_be_bytes());
    body.extend(bytes);
}

/// Splits what the broker sends into packets.
#[derive(Default)]
pub(super) struct Decoder(Vec<u8>);

impl Decoder {
    /// Adds bytes of the broker.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Returns the next packet; `None` until all of it is there.
    ///
    /// # Errors
    /// When it breaks the protocol, or is longer than any that a broker has reason to send.
    pub fn next(&mut self) -> Result<Option<Packet>, Malformed> {
        let Some((&first, rest)) = self.0.split_first() else { return Ok(None) };
        let mut length = 0;
        let mut digits = 0;
        loop {
            let Some(&digit) = rest.get(digits) else { return Ok(None) };
            length |= usize::from(digit & 127) << (7 * digits);
            digits += 1;
            if digit & 128 == 0 {
                break;
            }
            if digits == 4 {
                return Err(Malformed("a length has five digits"));
            }
        }
        if length > MAX_INCOMING {
            return Err(Malformed("a packet is too long"));
        }
        let Some(body) = rest.get(digits..digits + length) else { return Ok(None) };
        let packet = parse(first, body)?;
        self.0.drain(..1 + digits + length);
        Ok(Some(packet))
    }
}

fn parse(first: u8, body: &[u8]) -> Result<Packet, Malformed> {
    match (first >> 4, body) {
        (2, &[_, code]) => Ok(Packet::Connected(code)),
        (3, _) => {
            let (topic, rest) = split_text(body).ok_or(Malformed("a message has no topic"))?;
            let topic = std::str::from_utf8(topic).map_err(|_| Malformed("a topic is no UTF-8"))?;
            // The client asks for at most once, where a message has no number.
            let payload = if first & 0b110 == 0 { Some(rest) } else { rest.get(2..) };
            let payload = payload.ok_or(Malformed("a message has no number"))?;
            Ok(Packet::Published { topic: topic.to_owned(), payload: payload.to_vec() })
        }
        (4, &[high, low]) => Ok(Packet::Confirmed(u16::from_be_bytes([high, low]))),
        (9, [_, _, codes @ ..]) => Ok(Packet::Subscribed { is_refused: codes.contains(&0x80) }),
        (13, &[]) => Ok(Packet::Pong),
        _ => Err(Malformed("a packet of an unexpected kind")),
    }
}

/// Splits bytes that their length stands before from what follows.
fn split_text(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = body.split_at_checked(2)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(length.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(chunks: &[&[u8]]) -> Result<Vec<Packet>, Malformed> {
        let (mut decoder, mut packets) = (Decoder::default(), Vec::new());
        for chunk in chunks {
            decoder.add(chunk);
            while let Some(packet) = decoder.next()? {
                packets.push(packet);
            }
        }
        Ok(packets)
    }

    #[test]
    fn packets_have_the_bytes_of_the_standard() {
        let mut bytes = Vec::new();
        let will = Message { topic: "a/s", payload: b"off", is_retained: true };
        connect(&mut bytes, &Connect { client: "me", keep_alive_s: 30, will, user: Some("u"), password: Some(b"p") });
        assert_eq!(bytes, b"\x10\x1e\0\x04MQTT\x04\xee\0\x1e\0\x02me\0\x03a/s\0\x03off\0\x01u\0\x01p");
        bytes.clear();
        publish(&mut bytes, &Message { topic: "a", payload: b"xy", is_retained: false }, None);
        publish(&mut bytes, &Message { topic: "a", payload: b"", is_retained: true }, Some(258));
        subscribe(&mut bytes, 1, ["a", "b"]);
        ping(&mut bytes);
        disconnect(&mut bytes);
        assert_eq!(bytes, b"\x30\x05\0\x01axy\x33\x05\0\x01a\x01\x02\x82\x0a\0\x01\0\x01a\0\0\x01b\0\xc0\0\xe0\0");
        bytes.clear();
        publish(&mut bytes, &Message { topic: "a", payload: &[0; 200_000], is_retained: false }, None);
        assert_eq!(bytes[..7], *b"\x30\xc3\x9a\x0c\0\x01a");
    }

    #[test]
    fn what_breaks_the_protocol_is_an_error() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"\x15\x03\x03\0\x02\x02\x46",
            b"\x20\x03\0\0\0",
            b"\x30\x01\0",
            b"\x30\x03\0\x05a",
            b"\x30\x04\0\x02\xff\xff",
            b"\x32\x03\0\x01a",
            b"\xd0\xff\xff\xff\xff\x01",
            b"\x30\xff\xff\x7f",
            b"\0\0",
        ] {
            // Text of another protocol may look like the begin of a long packet.
            let padded = [bytes, &[0; 200]].concat();
            assert!(decode(&[&padded]).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn packets_do_not_depend_on_how_they_arrive(sizes in proptest::collection::vec(1..9_usize, 1..40)) {
            let all = b"\x20\x02\0\x00\x90\x03\0\x01\0\x30\x0b\0\x03a/bonline\x40\x02\x01\x02\xd0\0";
            let (mut chunks, mut rest) = (Vec::new(), &all[..]);
            for size in sizes {
                let (chunk, after) = rest.split_at(size.min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            chunks.push(rest);
            let published = Packet::Published { topic: "a/b".into(), payload: b"online".to_vec() };
            let subscribed = Packet::Subscribed { is_refused: false };
            let expected = vec![Packet::Connected(0), subscribed, published, Packet::Confirmed(258), Packet::Pong];
            prop_assert_eq!(decode(&chunks), Ok(expected));
        }

        #[test]
        fn no_bytes_make_it_panic_or_keep_more_than_a_packet(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..400),
        ) {
            let mut decoder = Decoder::default();
            for chunk in &chunks {
                decoder.add(chunk);
                let is_right = loop {
                    match decoder.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => break true,
                        Err(_) => break false,
                    }
                };
                prop_assert!(decoder.0.len() <= MAX_INCOMING + 405);
                if !is_right {
                    break;
                }
            }
        }
    }
}
