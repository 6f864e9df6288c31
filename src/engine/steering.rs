//! stub
use crate::step::{Answer, Order};
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) order: Order,
    reply: async_channel::Sender<Answer>,
}
impl Asked {
    pub(super) fn answer(self, answer: Answer) {
        let _ = self.reply.try_send(answer);
    }
}
pub(super) fn parse_rate<R: std::str::FromStr>(value: &str) -> Result<Option<R>, String>
where
    R::Err: std::fmt::Display,
{
    if value == "unlimited" {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|e: R::Err| e.to_string())
}
