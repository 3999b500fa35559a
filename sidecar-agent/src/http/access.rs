//! Who may do what.
//!
//! The Unix socket is for root and for the agent's own user. Over TCP, a file of `basic_auth_users` closes everything
//! to those without a password; a token closes the API to those without it; and what changes the agent is always
//! closed to those with neither the token nor a verified client certificate.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::endpoints::Access;
use super::guard::{Guard, Security};
use super::reply::{Reply, problem};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A process on this node.
    Unix {
        /// Its user, as the kernel says.
        uid: u32,
    },
    /// Somebody over TCP.
    Tcp(Certificate),
    /// A connection that did not say.
    Unknown,
}

/// The client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certificate {
    /// None.
    None,
    /// One of the configured authority, with an allowed name.
    Verified,
    /// One of the configured authority, with no allowed name.
    NotAllowed,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { uid } => write!(f, "user {uid} on the Unix socket"),
            Self::Tcp(Certificate::Verified) => f.write_str("a client certificate"),
            Self::Tcp(Certificate::None | Certificate::NotAllowed) => f.write_str("a TCP client"),
            Self::Unknown => f.write_str("nobody known"),
        }
    }
}

/// What the header `authorization` brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Nothing.
    None,
    /// The token.
    Token,
    /// A user's password.
    Password,
    /// Something that is wrong.
    Wrong,
}

/// Whether the peer may.
pub(super) async fn check(
    guard: &Guard,
    peer: Peer,
    wanted: Access,
    authorization: Option<&[u8]>,
) -> Result<(), Reply> {
    let certificate = match peer {
        Peer::Unix { uid } if uid == 0 || uid == nix::unistd::geteuid().as_raw() => return Ok(()),
        Peer::Unix { .. } | Peer::Unknown => {
            let error = "this socket is for root and for the agent's own user";
            return Err(problem(403, error, "use sudo, or ask over TCP (http.listen)"));
        }
        Peer::Tcp(Certificate::NotAllowed) => {
            let error = "the client certificate has none of the allowed names";
            return Err(problem(403, error, "client_allowed_sans in the file of http.web_config lists them"));
        }
        Peer::Tcp(certificate) => certificate,
    };
    let security = guard.current();
    let proof = proof(guard, &security, authorization).await?;
    judge(&security, certificate, proof, wanted)
}

fn judge(security: &Security, certificate: Certificate, proof: Proof, wanted: Access) -> Result<(), Reply> {
    let (passwords, token) = (!security.users.is_empty(), security.token.is_some());
    let certified = certificate == Certificate::Verified;
    let who = || {
        let reply = match proof {
            Proof::None => problem(401, "this asks for authentication", "send the header `authorization`"),
            Proof::Token | Proof::Password | Proof::Wrong => problem(
                401,
                "the user, the password or the token is wrong",
                "look at the files of http.web_config and security.token_file",
            ),
        };
        let bearer = token.then_some("Bearer realm=\"sidecar\"");
        let basic = passwords.then_some("Basic realm=\"sidecar\"");
        let ways: Vec<_> = basic.into_iter().chain(bearer).collect();
        reply.header("www-authenticate", ways.join(", "))
    };
    let password_enough = matches!(proof, Proof::Password | Proof::Token);
    if passwords && !password_enough {
        return Err(who());
    }
    match wanted {
        Access::Open => Ok(()),
        Access::Read if !token || password_enough || certified => Ok(()),
        Access::Read => Err(who()),
        Access::Write if proof == Proof::Token || certified => Ok(()),
        Access::Write if proof == Proof::Password => Err(problem(
            403,
            "a password is for reading; a change takes the token or a client certificate",
            "ask on the Unix socket (http.socket), or send the token of security.token_file",
        )),
        Access::Write if token => Err(who()),
        Access::Write => Err(problem(
            403,
            "nothing can be changed over TCP without a token or a client certificate",
            "ask on the Unix socket (http.socket), or configure security.token_file, or client certificates \
             in the file of http.web_config",
        )),
    }
}

async fn proof(guard: &Guard, security: &Security, authorization: Option<&[u8]>) -> Result<Proof, Reply> {
    let Some(header) = authorization else { return Ok(Proof::None) };
    let (scheme, rest) = split(header);
    if scheme.eq_ignore_ascii_case(b"bearer")
        && let Some(token) = &security.token
    {
        return Ok(if token.is(rest) { Proof::Token } else { Proof::Wrong });
    }
    if scheme.eq_ignore_ascii_case(b"basic") && !security.users.is_empty() {
        let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((user, password)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Ok(Proof::Wrong);
        };
        let right = guard.passwords.right(security, user, password).await.map_err(|error| {
            problem(429, &format!("too many passwords are being checked: {error}"), "ask again")
                .header("retry-after", "2")
        })?;
        return Ok(if right { Proof::Password } else { Proof::Wrong });
    }
    // A scheme that is not configured proves nothing, and is no reason to refuse what is open to everybody.
    Ok(Proof::None)
}

fn split(header: &[u8]) -> (&[u8], &[u8]) {
    let end = header.iter().position(|byte| *byte == b' ').unwrap_or(header.len());
    (&header[..end], header[end..].trim_ascii())
}
