//! The page's files, compiled in.

use axum::http::header;
use axum::response::IntoResponse;

macro_rules! assets {
    ($($name:ident: $file:literal, $kind:literal;)+) => {
        $(pub(super) async fn $name() -> impl IntoResponse {
            ([(header::CONTENT_TYPE, $kind)], include_str!(concat!("assets/", $file)))
        })+
    };
}

assets! {
    index: "index.html", "text/html; charset=utf-8";
    style: "page.css", "text/css; charset=utf-8";
    script: "page.js", "text/javascript; charset=utf-8";
    letters: "letters.js", "text/javascript; charset=utf-8";
    letter: "letter.js", "text/javascript; charset=utf-8";
    orders: "orders.js", "text/javascript; charset=utf-8";
    pauses: "pauses.js", "text/javascript; charset=utf-8";
    filter: "filter.js", "text/javascript; charset=utf-8";
    fleet: "fleet.js", "text/javascript; charset=utf-8";
    log: "log.js", "text/javascript; charset=utf-8";
    chart: "chart.js", "text/javascript; charset=utf-8";
    dom: "dom.js", "text/javascript; charset=utf-8";
    icon: "icon.svg", "image/svg+xml";
}
