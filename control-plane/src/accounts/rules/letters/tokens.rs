//! What mails say about API tokens.

use innkeeper_wire::{api::Scope, time::Timestamp};

use super::place;
use crate::mails::rules::{Letter, Reader, SignInPlace, Stationery};

/// One was made. Without its name, which whoever made it has typed.
#[must_use]
pub fn token_made(
    sheet: &Stationery,
    reader: &Reader,
    scopes: &[Scope],
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let page = sheet.link(reader, "account/tokens", "");
    let support = &sheet.support_email;
    let scopes = scopes
        .iter()
        .map(|scope| format!("- {}", is_for(reader, *scope)));
    let scopes = scopes.collect::<Vec<_>>().join("\n");
    let subject = reader.say(
        "An API token was made for your account",
        "계정에 API 토큰이 발급되었습니다",
        "您的帳號建立了 API 權杖",
    );
    let text = reader.say(
        [
            format!("An API token was made for your account. Whoever has it may:\n{scopes}"),
            place.clone(),
            format!(
                "If it was not you, end the token, change your password and write to {support} at once:\n{page}"
            ),
        ],
        [
            format!("계정에 API 토큰이 발급되었습니다. 이 토큰으로 할 수 있는 작업은 다음과 같습니다.\n{scopes}"),
            place.clone(),
            format!(
                "본인이 발급하지 않았다면 토큰을 폐기하고 비밀번호를 변경한 뒤 바로 {support}(으)로 알려 주세요:\n{page}"
            ),
        ],
        [
            format!("您的帳號建立了一組 API 權杖。持有此權杖者可以：\n{scopes}"),
            place,
            format!(
                "若不是您本人建立，請撤銷該權杖、更改密碼，並立即聯絡 {support}：\n{page}"
            ),
        ],
    );
    sheet.letter(reader, subject, &text)
}

fn is_for(reader: &Reader, scope: Scope) -> &'static str {
    match scope {
        Scope::Read => reader.say(
            "look at servers, orders and SSH keys",
            "서버, 주문, SSH 키 조회",
            "查看主機、訂單與 SSH 金鑰",
        ),
        Scope::Servers => reader.say(
            "order servers, and start, stop and restart them",
            "서버 주문, 시작, 정지, 재시작",
            "訂購主機，以及開機、關機、重新啟動",
        ),
        Scope::Keys => reader.say(
            "add, rename and remove SSH keys",
            "SSH 키 등록, 이름 변경, 삭제",
            "新增、變更名稱與刪除 SSH 金鑰",
        ),
        Scope::Delete => reader.say("delete servers", "서버 삭제", "刪除主機"),
        Scope::Billing => reader.say(
            "look at charges and invoices",
            "이용 금액, 청구서 조회",
            "查看費用與帳單",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mails::rules::samples::{preview, stationery};

    #[test]
    fn token_made_reads_so() {
        let place = SignInPlace {
            network: "203.0.113.0/24".to_owned(),
        };
        let at = "2026-11-26T23:00:00Z".parse().expect("a time");
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| token_made(
            &sheet,
            reader,
            Scope::ALL,
            &place,
            at
        )));
    }
}
