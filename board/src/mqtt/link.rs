//! A connection to a broker: TCP, with or without TLS, every step with a limit of time.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use divita_video::Input;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Maximum time in which an address answers, in which TLS is agreed on, and in which bytes are
/// taken.
pub(super) const STEP: Duration = Duration::from_secs(10);

/// Where a broker is.
#[derive(Clone)]
pub struct Broker {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

/// Shows the address.
impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "mqtts" } else { "mqtt" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

impl Broker {
    /// Parses `mqtt://HOST[:PORT]`, or with TLS `mqtts://HOST[:PORT]`. The broker's certificate has
    /// to be signed by an authority in the PEM file `authority`, or without one by one of
    /// Mozilla's.
    ///
    /// # Errors
    /// When the address has another form or a user name, or the file no certificate.
    pub fn new(address: &str, authority: Option<&Path>) -> Result<Self> {
        if address.contains('@') {
            bail!("the broker's address has a user name: give it with --mqtt-user and a file with --mqtt-password");
        }
        let shown = Input::from(address);
        let (is_secure, rest) = match address.split_once("://") {
            Some(("mqtt", rest)) => (false, rest),
            Some(("mqtts", rest)) => (true, rest),
            _ => bail!("{shown} is not a broker address: give mqtt://HOST, mqtts://HOST or one with a port"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(if is_secure { 8883 } else { 1883 }), str::parse);
        let (Ok(port), false) = (port, host.is_empty() || host.contains(['/', '?', '#', '%', ' '])) else {
            bail!("{shown} is not a broker address: give mqtt://HOST, mqtts://HOST or one with a port");
        };
        if authority.is_some() && !is_secure {
            bail!("--mqtt-ca needs TLS: give the broker's address as mqtts://{host}");
        }
        let tls = is_secure.then(|| client_config(authority)).transpose()?.map(Arc::new);
        Ok(Broker { host: host.to_owned(), port, tls })
    }

    /// Returns whether what is sent to the broker can be read on the way.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        let is_here =
            self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.tls.is_none() && !is_here
    }

    /// Connects.
    ///
    /// # Errors
    /// When no address of the host answers, or the TLS of the one that does is not trusted.
    pub(super) fn connect(&self) -> Result<Link> {
        let addresses = (&*self.host, self.port).to_socket_addrs().context("cannot resolve the host name")?;
        let mut refused = io::Error::new(ErrorKind::NotFound, "the host name has no address");
        let stream = addresses
            .into_iter()
            .find_map(|address| TcpStream::connect_timeout(&address, STEP).map_err(|error| refused = error).ok());
        let stream = stream.ok_or(refused)?;
        stream.set_nodelay(true)?;
        let mut socket = Socket { stream, deadline: Instant::now() + STEP };
        let Some(config) = &self.tls else { return Ok(Link { socket, tls: None }) };
        let name = ServerName::try_from(self.host.clone()).context("the host name is not valid in a certificate")?;
        let mut tls = ClientConnection::new(config.clone(), name)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).context("TLS failed; a private authority needs --mqtt-ca")?;
        }
        Ok(Link { socket, tls: Some(tls) })
    }
}

/// Returns the configuration of TLS.
fn client_config(authority: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            let cannot = || format!("{}: cannot be used as PEM certificates", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(cannot)? {
                roots.add(certificate.with_context(cannot)?).with_context(cannot)?;
            }
            if roots.is_empty() {
                bail!("{}: it has no PEM certificate", path.display());
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(config.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

/// A connection.
pub(super) struct Link {
    socket: Socket,
    tls: Option<ClientConnection>,
}

/// A socket whose reads and writes end at a deadline.
struct Socket {
    stream: TcpStream,
    deadline: Instant,
}

impl Socket {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer).map_err(without_wait)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes).map_err(without_wait)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names a time limit that ran out, which the system calls "temporarily unavailable".
fn without_wait(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

impl Link {
    /// Sends `bytes`.
    ///
    /// # Errors
    /// When the broker does not take them in time.
    pub fn send(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        self.socket.deadline = deadline;
        let Some(tls) = &mut self.tls else { return self.socket.write_all(bytes) };
        while !bytes.is_empty() {
            let taken = tls.writer().write(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
        Ok(())
    }

    /// Waits for bytes, at most until `deadline`, and passes them to `take`. With TLS there may be
    /// none although some came.
    ///
    /// # Errors
    /// When none came, or the broker has closed the connection.
    pub fn receive(&mut self, deadline: Instant, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let closed = || io::Error::new(ErrorKind::UnexpectedEof, "it has closed the connection");
        self.socket.deadline = deadline;
        let mut buffer = [0; 8 << 10];
        let Some(tls) = &mut self.tls else {
            let count = self.socket.read(&mut buffer)?;
            take(buffer.get(..count).unwrap_or_default());
            return if count == 0 { Err(closed()) } else { Ok(()) };
        };
        if tls.read_tls(&mut self.socket)? == 0 {
            return Err(closed());
        }
        let state = tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
        // An answer of TLS itself, such as why the connection ends.
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        let mut left = state?.plaintext_bytes_to_read();
        while left > 0 {
            let count = tls.reader().read(&mut buffer)?;
            take(buffer.get(..count).unwrap_or_default());
            left = if count == 0 { 0 } else { left.saturating_sub(count) };
        }
        Ok(())
    }
}

/// For waiting until there are bytes to receive.
impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(address: &str, authority: Option<&Path>) -> String {
        Broker::new(address, authority).err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn addresses_have_a_host_and_perhaps_a_port() {
        for (address, shown) in [
            ("mqtt://broker", "mqtt://broker:1883"),
            ("mqtt://broker:1884/", "mqtt://broker:1884"),
            ("mqtts://broker.example", "mqtts://broker.example:8883"),
            ("mqtt://192.0.2.1", "mqtt://192.0.2.1:1883"),
            ("mqtts://[::1]:1", "mqtts://[::1]:1"),
        ] {
            assert_eq!(Broker::new(address, None).unwrap().to_string(), shown);
        }
        assert!(!refusal("mqtt://broker?token=CANARY", None).contains("CANARY"));
        for address in
            ["", "broker", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://a:99999", "mqtt://a/b", "mqtt://a?b"]
        {
            assert!(refusal(address, None).contains("broker"), "{address}");
        }
        assert!(refusal("mqtt://broker", Some(Path::new("ca.pem"))).contains("mqtts://broker"));
    }

    #[test]
    fn passwords_in_an_address_are_refused_and_not_shown() {
        for address in ["mqtt://user:CANARY@broker", "mqtts://CANARY@broker:1", "mqtt://broker?p=CANARY@"] {
            let refusal = refusal(address, None);
            let is_right = refusal.contains("--mqtt-user") && refusal.contains("--mqtt-password");
            assert!(is_right && !refusal.contains("CANARY"), "{refusal}");
        }
    }

    #[test]
    fn files_without_a_certificate_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(refusal("mqtts://broker", Some(file.path())).contains("no PEM certificate"));
        assert!(refusal("mqtts://broker", Some(Path::new("/no/such/file"))).contains("/no/such/file"));
    }

    #[test]
    fn only_plain_connections_to_other_machines_are_exposed() {
        let exposed = |address| Broker::new(address, None).unwrap().is_exposed();
        assert!(exposed("mqtt://broker") && exposed("mqtt://192.0.2.1"));
        assert!(!exposed("mqtts://broker") && !exposed("mqtt://localhost") && !exposed("mqtt://[::1]"));
    }
}
