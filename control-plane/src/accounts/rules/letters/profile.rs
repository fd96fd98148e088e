//! What mails say about the data of an account.

use innkeeper_wire::time::Timestamp;

use super::place;
use crate::mails::rules::{Letter, Reader, SignInPlace, Stationery};

/// Confirm another address; goes there.
#[must_use]
pub fn confirm_new_email(
    sheet: &Stationery,
    reader: &Reader,
    token: &str,
    expires_at: Timestamp,
) -> Letter {
    let link = sheet.link(reader, "confirm-email", &format!("&token={token}"));
    let until = reader.minute(expires_at);
    let (until, zone) = (until.text, until.zone);
    let subject = reader.say(
        "Confirm your new e-mail address",
        "새 이메일 주소를 인증해 주세요",
        "請驗證您的新電子郵件地址",
    );
    let text = reader.say(
        [
            "Please confirm that mails to your account shall go to this address from now on:".to_owned(),
            link.clone(),
            format!("The link works once, until {until} ({zone}). Before it is used nothing changes."),
            "If you have no account here, ignore this mail.".to_owned(),
        ],
        [
            "아래 링크를 눌러 새 이메일 주소를 인증해 주세요. 인증이 완료되면 앞으로 이 주소로 메일을 보내 드립니다.\n\n\
             새 이메일 주소 인증하러 가기:"
                .to_owned(),
            link.clone(),
            format!("링크는 {until}까지 ({zone}) 한 번만 사용할 수 있습니다. 그 전에는 아무것도 바뀌지 않습니다."),
            "본인의 계정이 아니라면 이 메일을 무시해 주세요.".to_owned(),
        ],
        [
            "請點選以下連結驗證您的新電子郵件地址。驗證完成後，信件將改寄至此地址。".to_owned(),
            link,
            format!("此連結僅能使用一次，有效期限至 {until}（{zone}）。使用前不會有任何變更。"),
            "若您在此沒有帳號，請忽略此信。".to_owned(),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// The address was changed; goes to the one of before.
#[must_use]
pub fn email_changed(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let support = &sheet.support_email;
    let subject = reader.say(
        "Your e-mail address was changed",
        "이메일 주소가 변경되었습니다",
        "您的電子郵件地址已變更",
    );
    let text = reader.say(
        [
            "The e-mail address of your account was changed: mails go to another one from now on."
                .to_owned(),
            place.clone(),
            "If it was you, there is nothing to do.".to_owned(),
            format!("If it was not you, write to {support} at once."),
        ],
        [
            "계정의 이메일 주소가 변경되었습니다. 앞으로는 새 주소로 메일을 보내 드립니다."
                .to_owned(),
            place.clone(),
            "본인이 변경했다면 따로 하실 일은 없습니다.".to_owned(),
            format!("본인이 아니라면 바로 {support}(으)로 알려 주세요."),
        ],
        [
            "您帳號的電子郵件地址已變更，今後信件將寄至新的地址。".to_owned(),
            place,
            "若是您本人，無須處理。".to_owned(),
            format!("若不是您本人，請立即聯絡 {support}。"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// The mobile number was changed. Without it, which whoever changed it has typed.
#[must_use]
pub fn mobile_changed(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let link = sheet.link(reader, "account", "");
    let support = &sheet.support_email;
    let subject = reader.say(
        "Your mobile number was changed",
        "휴대전화번호가 변경되었습니다",
        "您的手機號碼已變更",
    );
    let text = reader.say(
        [
            "The mobile number of your account was changed.".to_owned(),
            place.clone(),
            format!("You can see it here:\n{link}"),
            format!("If it was not you, change your password and write to {support} at once."),
        ],
        [
            "계정의 휴대전화번호가 변경되었습니다.".to_owned(),
            place.clone(),
            format!("회원정보관리에서 확인할 수 있습니다:\n{link}"),
            format!(
                "본인이 변경하지 않았다면 비밀번호를 변경하고 바로 {support}(으)로 알려 주세요."
            ),
        ],
        [
            "您帳號的手機號碼已變更。".to_owned(),
            place,
            format!("您可在帳戶資料中查看：\n{link}"),
            format!("若不是您本人變更，請更改密碼並立即聯絡 {support}。"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mails::rules::samples::{preview, stationery};

    fn at() -> Timestamp {
        "2026-11-26T23:00:00Z".parse().expect("a time")
    }

    fn place() -> SignInPlace {
        SignInPlace {
            network: "203.0.113.0/24".to_owned(),
        }
    }

    #[test]
    fn confirm_new_email_reads_so() {
        insta::assert_snapshot!(preview(|reader| confirm_new_email(
            &stationery(),
            reader,
            "acc_1.abc",
            at()
        )));
    }

    #[test]
    fn email_changed_reads_so() {
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| email_changed(
            &sheet,
            reader,
            &place(),
            at()
        )));
    }

    #[test]
    fn mobile_changed_reads_so() {
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| mobile_changed(
            &sheet,
            reader,
            &place(),
            at()
        )));
    }
}
