//! Where a provider is: scheme, host, port and the beginning of the path.

use hyper::Uri;

/// A checked base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    tls: bool,
    /// As in the URL, with brackets around an IPv6 address.
    host: String,
    port: u16,
    /// With its port if the URL has one.
    authority: String,
    /// Without a slash at its end.
    path: String,
}

impl Endpoint {
    /// Reads a base URL. Credentials and texts go there, so it has to be https unless it does not leave the machine.
    ///
    /// # Errors
    /// What it must be.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let wanted = || "must be a URL such as https://api.example.com".to_owned();
        let uri: Uri = url.parse().map_err(|_| wanted())?;
        let authority = uri.authority().filter(|at| !at.as_str().contains('@')).ok_or_else(wanted)?;
        let host = authority.host().to_owned();
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(&host) => false,
            Some("http") => return Err("must begin with https:// unless it is on this machine".into()),
            _ => return Err(wanted()),
        };
        if uri.query().is_some() || host.is_empty() {
            return Err(wanted());
        }
        Ok(Self {
            tls,
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
            host,
        })
    }

    /// Whether TLS is spoken.
    pub(crate) const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host, for the name in its certificate.
    pub(crate) fn host(&self) -> &str {
        self.bare_host()
    }

    /// The host without brackets, to connect to.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// For the header `host`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of a request below it.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.path)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Checks the URL under which the world reaches us, and takes the slash off its end. What is called back there is signed
/// and holds no secret, but says to whom we send, so it has to be https too.
///
/// # Errors
/// What it must be.
pub fn public_url(text: &str) -> Result<String, String> {
    Endpoint::parse(text)?;
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_machine_over_tls_only() {
        for good in
            ["https://api.example.com", "https://h:8443/base/", "http://127.0.0.1:1", "http://[::1]:1"]
        {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com",
            "http://127.0.0.1.example.com",
            "https://user:pass@h",
            "https://h/?a=b",
            "ftp://h",
            "api.example.com",
            "",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
        let at = Endpoint::parse("https://[2001:db8::1]:8443/base/").unwrap();
        assert_eq!((at.host(), at.port(), at.authority()), ("2001:db8::1", 8443, "[2001:db8::1]:8443"));
        assert_eq!(at.path("/x"), "/base/x");
    }
}
