//! Access tokens (JWT, HS256, 15 minutes) and refresh tokens (opaque, 7 days, rotated). Pure but for randomness; the
//! database side of sessions is `db/sessions.rs`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::policy::Role;

/// Seconds an access token lives.
pub const ACCESS_SECONDS: i64 = 15 * 60;
/// Seconds a refresh token lives.
pub const REFRESH_SECONDS: i64 = 7 * 24 * 60 * 60;
/// The fewest bytes of the signing secret: as many as its hash has (RFC 7518, 3.2).
pub const MIN_SECRET: usize = 32;

const ISSUER: &str = "openreg";
const AUDIENCE: &str = "openreg-api";

/// Who sends a request, out of their access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Identity of the user.
    #[serde(rename = "sub")]
    pub user: Uuid,
    /// Name of the user.
    pub name: String,
    /// Identity of the tenant: the namespace's UID.
    pub tenant: Uuid,
    /// The tenant's namespace.
    pub namespace: String,
    /// Roles when the token was made; a change takes effect with the next token.
    pub roles: Vec<Role>,
    /// The log-in that the token descends from.
    pub family: Uuid,
    /// When it ends, seconds since 1970.
    pub exp: i64,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    #[serde(flatten)]
    session: Session,
}

/// What goes wrong with a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The secret is too short.
    #[error("could not use the signing secret: it needs at least {MIN_SECRET} bytes")]
    SecretTooShort,
    /// It cannot be signed.
    #[error("could not sign the access token")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// It is not ours, or its time is over.
    #[error("could not accept the access token")]
    Refused(#[source] jsonwebtoken::errors::Error),
}

/// Signs and checks access tokens.
#[derive(Clone)]
pub struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Signer {
    /// With `secret`.
    pub fn new(secret: &[u8]) -> Result<Self, TokenError> {
        if secret.len() < MIN_SECRET {
            return Err(TokenError::SecretTooShort);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        Ok(Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
        })
    }

    /// An access token for `session`, which ends when it says.
    pub fn sign(&self, session: &Session) -> Result<String, TokenError> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: session.exp - ACCESS_SECONDS,
            session: session.clone(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(TokenError::Sign)
    }

    /// Whose token it is.
    pub fn check(&self, token: &str) -> Result<Session, TokenError> {
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map(|t| t.claims.session)
            .map_err(TokenError::Refused)
    }
}

/// A refresh token: `TENANT.ID.SECRET`. The table has the hash of the secret only.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The tenant, so that the row can be looked for under row-level security.
    pub tenant: Uuid,
    /// The row.
    pub id: Uuid,
    secret: [u8; 32],
}

impl RefreshToken {
    /// A new one.
    pub fn random(tenant: Uuid) -> Self {
        Self {
            tenant,
            id: Uuid::new_v4(),
            secret: rand::random(),
        }
    }

    /// What the user holds.
    pub fn expose(&self) -> String {
        format!("{}.{}.{}", self.tenant.simple(), self.id.simple(), URL_SAFE_NO_PAD.encode(self.secret))
    }

    /// What the user sent, if it has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (tenant, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || secret.len() > 64 {
            return None;
        }
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        Some(Self {
            tenant: Uuid::try_parse(tenant).ok()?,
            id: Uuid::try_parse(id).ok()?,
            secret,
        })
    }

    /// What the table has. Equality of hashes of 256 random bits needs no constant time: a guess learns nothing of the
    /// secret.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.secret).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(exp: i64) -> Session {
        Session {
            user: Uuid::new_v4(),
            name: "ann".into(),
            tenant: Uuid::new_v4(),
            namespace: "acme".into(),
            roles: vec![Role::Viewer],
            family: Uuid::new_v4(),
            exp,
        }
    }

    #[test]
    fn a_token_comes_back_and_a_foreign_or_old_one_does_not() {
        let now = jiff::Timestamp::now().as_second();
        let signer = Signer::new(&[7; 32]).unwrap();
        let s = session(now + 60);
        let token = signer.sign(&s).unwrap();
        assert_eq!(signer.check(&token).unwrap(), s);
        assert!(Signer::new(&[8; 32]).unwrap().check(&token).is_err(), "another secret");
        assert!(signer.check(&signer.sign(&session(now - 1)).unwrap()).is_err(), "its time is over");
        let mut parts: Vec<&str> = token.split('.').collect();
        // {"alg":"none"}
        parts[0] = "eyJhbGciOiJub25lIn0";
        assert!(signer.check(&parts.join(".")).is_err(), "no signature");
        assert!(Signer::new(&[7; 31]).is_err(), "short secret");
    }

    #[test]
    fn a_refresh_token_comes_back() {
        let token = RefreshToken::random(Uuid::new_v4());
        assert!(RefreshToken::parse(&token.expose()).is_some_and(|t| t == token));
        for bad in ["", "a.b.c", "..", &format!("{}.x", token.expose()), &token.expose()[1..]] {
            assert!(RefreshToken::parse(bad).is_none(), "{bad}");
        }
    }
}
