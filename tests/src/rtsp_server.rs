//! An RTSP server for tests that decide every packet: times, pauses, contents.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server that sends H.264 over TCP. It lives as long as the process.
pub struct RtspServer {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

/// The client of one session.
pub struct Client {
    stream: Arc<Mutex<TcpStream>>,
    sequence: u16,
}

impl RtspServer {
    /// Starts a server that calls `play` for each session once it plays, and closes the connection
    /// after that. `sdp` is what DESCRIBE says of the streams. The first one is played.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(sdp: &'static str, play: impl Fn(&mut Client) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, play) = (requests.clone(), Arc::new(play));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, play) = (kept.clone(), play.clone());
                thread::spawn(move || serve(stream, sdp, &kept, play));
            }
        });
        RtspServer { port, requests }
    }

    /// Returns the address of the stream with this query.
    pub fn input(&self, query: &str) -> String {
        format!("rtsp://127.0.0.1:{}/live?{query}", self.port)
    }

    /// Returns the methods of all requests so far.
    ///
    /// # Panics
    /// When a thread of the server panicked.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

impl Client {
    /// Sends a picture in Annex B form, shown at `rtp` ticks of 1/90000 s. Returns false when the
    /// client is gone.
    pub fn picture(&mut self, rtp: u32, data: &[u8]) -> bool {
        let units: Vec<&[u8]> = nal_units(data).collect();
        units.iter().enumerate().all(|(at, unit)| self.packet(rtp, at + 1 == units.len(), unit))
    }

    /// Sends a NAL unit as one RTP packet; `mark` says that it ends its picture.
    ///
    /// # Panics
    /// When the unit is too large for that.
    pub fn packet(&mut self, rtp: u32, mark: bool, unit: &[u8]) -> bool {
        let mut packet = vec![b'$', 0];
        packet.extend(u16::try_from(12 + unit.len()).expect("a small unit").to_be_bytes());
        packet.extend([0x80, 96 | u8::from(mark) << 7]);
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(rtp.to_be_bytes());
        packet.extend(7u32.to_be_bytes());
        packet.extend(unit);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.lock().is_ok_and(|mut stream| stream.write_all(&packet).is_ok())
    }

    /// Leaves out a packet, as a network that loses it.
    pub fn lose_packet(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }
}

/// Answers the requests of one connection.
fn serve(
    stream: TcpStream,
    sdp: &str,
    kept: &Mutex<Vec<String>>,
    play: Arc<impl Fn(&mut Client) + Send + Sync + 'static>,
) {
    let Ok(copy) = stream.try_clone() else { return };
    let stream = Arc::new(Mutex::new(stream));
    let mut lines = BufReader::new(copy).lines().map_while(Result::ok);
    loop {
        let request: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let Some(first) = request.first() else { return };
        let method = first.split(' ').next().unwrap_or_default().to_owned();
        let address = first.split(' ').nth(1).unwrap_or_default();
        let number = request.iter().find(|line| line.to_lowercase().starts_with("cseq")).cloned().unwrap_or_default();
        let (headers, body) = match &*method {
            "DESCRIBE" => {
                let body = format!("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{sdp}");
                let head = format!("Content-Base: {address}/\r\nContent-Type: application/sdp\r\n");
                (format!("{head}Content-Length: {}\r\n", body.len()), body)
            }
            "SETUP" => {
                ("Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n".into(), String::new())
            }
            _ => ("Session: 1\r\n".into(), String::new()),
        };
        if let Ok(mut kept) = kept.lock() {
            kept.push(method.clone());
        }
        let answer = format!("RTSP/1.0 200 OK\r\n{number}\r\n{headers}\r\n{body}");
        if stream.lock().is_ok_and(|mut stream| stream.write_all(answer.as_bytes()).is_err()) {
            return;
        }
        if method == "PLAY" {
            let (stream, play) = (stream.clone(), play.clone());
            thread::spawn(move || {
                let mut client = Client { stream, sequence: 1000 };
                play(&mut client);
                let _ = client.stream.lock().map(|stream| stream.shutdown(std::net::Shutdown::Both));
            });
        }
    }
}

/// Splits data in Annex B form into its NAL units.
fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> =
        data.windows(3).enumerate().filter(|(_, w)| w == &[0, 0, 1]).map(|(at, _)| at + 3).collect();
    let ends: Vec<usize> = starts.iter().skip(1).map(|start| start - 3).chain([data.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| {
        let unit = &data[start..end];
        &unit[..unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)]
    })
}

/// Splits an H.264 stream with access unit delimiters into its pictures.
pub fn pictures(stream: &[u8]) -> Vec<Vec<u8>> {
    const DELIMITER: u8 = 9;
    let mut pictures: Vec<Vec<u8>> = Vec::new();
    for unit in nal_units(stream) {
        if unit.first().is_some_and(|head| head & 31 == DELIMITER) {
            pictures.push(Vec::new());
        } else if let Some(picture) = pictures.last_mut() {
            picture.extend([0, 0, 0, 1]);
            picture.extend(unit);
        }
    }
    pictures
}
