//! What is answered to whom.

use crate::cli::serve::shelf::Shelf;
use crate::metrics::{CONTENT_TYPE, Exposition};
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE as TYPE, HOST, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;

/// What `/` shows.
const PAGE: &str =
    "klp-trace serve\n\n/metrics   for Prometheus\n/healthz   200 while all is known, else 503 and why\n";

/// Text for people.
const PLAIN: &str = "text/plain; charset=utf-8";

/// What answers are made from.
pub(super) struct Answers {
    /// Names that a Host may have, beside this host's own.
    pub hosts: Vec<String>,
    pub shelf: Arc<Shelf>,
    pub metrics: Exposition,
}

impl Answers {
    /// The answer to a request, whose body nobody reads.
    pub(super) fn to<B>(&self, request: &Request<B>, trusted: bool) -> Response<String> {
        let (status, kind, text) = self.of(request, trusted);
        self.shelf.answered(status.as_u16());
        let length = text.len();
        let text = if request.method() == Method::HEAD { String::new() } else { text };
        let mut response = Response::new(text);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(TYPE, HeaderValue::from_static(kind));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn of<B>(&self, request: &Request<B>, trusted: bool) -> (StatusCode, &'static str, String) {
        let plain = |status, text: &str| (status, PLAIN, format!("{text}\n"));
        if !trusted && !self.is_own(request) {
            // DNS rebinding: a page in a browser of this host has a name of its own lead here.
            return plain(
                StatusCode::MISDIRECTED_REQUEST,
                "this is not the host that was asked for; metrics.hosts names others",
            );
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD");
        }
        match request.uri().path() {
            "/" => (StatusCode::OK, PLAIN, PAGE.to_owned()),
            "/healthz" => match self.shelf.moment().sight() {
                Ok(_) => plain(StatusCode::OK, "ok"),
                Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, &why),
            },
            "/metrics" => match self.metrics.text() {
                Ok(text) => (StatusCode::OK, CONTENT_TYPE, text),
                Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            },
            _ => plain(StatusCode::NOT_FOUND, "/metrics, /healthz and / are here"),
        }
    }

    /// Whether the request names this host: localhost, any address (which no rebinding can use), or a name that was given.
    fn is_own<B>(&self, request: &Request<B>) -> bool {
        let mut fields = request.headers().get_all(HOST).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else { return false };
        let Some(authority) = field.to_str().ok().and_then(|text| text.parse::<Authority>().ok()) else {
            return false;
        };
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse::<IpAddr>().is_ok()
            || bare.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|name| name.eq_ignore_ascii_case(bare))
    }
}
