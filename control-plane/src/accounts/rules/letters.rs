//! What mails about an account say.

use innkeeper_wire::time::Timestamp;

use crate::mails::rules::{Letter, Reader, SignInPlace, Stationery};

mod approval;
mod lost_factor;
mod profile;
mod recovery;
mod second_factor;
mod suspension;
mod tokens;

pub use self::approval::{approval_awaited, approved, rejected};
pub use self::lost_factor::{lost_factor_asked, lost_factor_kept, lost_factor_off};
pub use self::profile::{confirm_new_email, email_changed, mobile_changed};
pub use self::recovery::{login_ids, password_changed, password_reset, password_reset_again};
pub use self::second_factor::{
    recovery_code_used, recovery_codes_renewed, second_factor_off, second_factor_on, wrong_codes,
};
pub use self::suspension::{resumed, suspended};
pub use self::tokens::token_made;

/// Confirm the address; says nothing that whoever signed up has typed.
#[must_use]
pub fn confirm_email(
    sheet: &Stationery,
    reader: &Reader,
    secret: &str,
    expires_at: Timestamp,
) -> Letter {
    let link = sheet.link(reader, "confirm", &format!("&token={secret}"));
    let until = reader.minute(expires_at);
    let (until, zone) = (until.text, until.zone);
    let subject = reader.say(
        "Confirm your e-mail address",
        "이메일 주소를 인증해 주세요",
        "請驗證您的電子郵件地址",
    );
    let text = reader.say(
        [
            "Please confirm your e-mail address to use your account:".to_owned(),
            link.clone(),
            format!("The link works once, until {until} ({zone})."),
            "If you did not sign up, ignore this mail: without the confirmation the account can't be used."
                .to_owned(),
        ],
        [
            "아래 링크를 눌러 이메일 주소를 인증하면 회원가입이 완료됩니다.\n\n회원가입 완료하러 가기:"
                .to_owned(),
            link.clone(),
            format!("링크는 {until}까지 ({zone}) 한 번만 사용할 수 있습니다."),
            "회원가입을 신청하지 않으셨다면 이 메일을 무시해 주세요. 인증하지 않은 계정은 사용할 수 없습니다."
                .to_owned(),
        ],
        [
            "請點選以下連結驗證您的電子郵件地址，即可完成註冊。".to_owned(),
            link,
            format!("此連結僅能使用一次，有效期限至 {until}（{zone}）。"),
            "若您並未申請註冊，請忽略此信。未經驗證的帳號無法使用。".to_owned(),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// The address is confirmed.
#[must_use]
pub fn welcome(sheet: &Stationery, reader: &Reader) -> Letter {
    let link = sheet.link(reader, "sign-in", "");
    let subject = reader.say(
        "Welcome: your account is ready",
        "회원가입이 완료되었습니다",
        "歡迎：您的帳號已可使用",
    );
    let text = reader.say(
        [
            "Your e-mail address is confirmed. You can use your account from now on.".to_owned(),
            format!("Sign in here:\n{link}"),
            "To sign in to a server you need an SSH key. Add it under \"SSH keys\", then order your first server."
                .to_owned(),
        ],
        [
            "이메일 인증이 완료되었습니다. 지금부터 계정을 사용할 수 있습니다.".to_owned(),
            format!("로그인하러 가기:\n{link}"),
            "서버에 접속하려면 SSH 키가 필요합니다. 'SSH 키'에서 키를 등록한 뒤 첫 서버를 주문해 주세요."
                .to_owned(),
        ],
        [
            "您的電子郵件地址已完成驗證，現在起可以使用您的帳號。".to_owned(),
            format!("由此登入：\n{link}"),
            "登入主機需要 SSH 金鑰。請先在「SSH 金鑰」新增金鑰，再訂購第一台主機。".to_owned(),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// An SSH key was added. Without its name, which whoever added it has typed.
#[must_use]
pub fn key_added(
    sheet: &Stationery,
    reader: &Reader,
    key: Option<(&str, &str)>,
    at: Timestamp,
) -> Letter {
    let at = reader.at(at);
    let link = sheet.link(reader, "keys", "");
    let subject = reader.say(
        "An SSH key was added to your account",
        "계정에 SSH 키가 등록되었습니다",
        "您的帳號新增了 SSH 金鑰",
    );
    let mut facts = vec![reader.say(
        format!("Time: {at}"),
        format!("등록 시각: {at}"),
        format!("新增時間：{at}"),
    )];
    match key {
        Some((algorithm, fingerprint)) => {
            facts.push(reader.say(
                format!("Kind: {algorithm}\nFingerprint: {fingerprint}"),
                format!("종류: {algorithm}\n지문: {fingerprint}"),
                format!("類型：{algorithm}\n指紋：{fingerprint}"),
            ));
        }
        None => facts.push(reader.say(
            "It is not in your account any more.".to_owned(),
            "이 키는 이미 삭제되었습니다.".to_owned(),
            "此金鑰現已從帳號刪除。".to_owned(),
        )),
    }
    let facts = facts.join("\n");
    let support = &sheet.support_email;
    let text = reader.say(
        [
            format!("An SSH key was added to your account.\n\n{facts}"),
            "It can be chosen for new servers. Servers that you have already are not changed."
                .to_owned(),
            format!("If it was not you, remove the key and write to {support} at once:\n{link}"),
        ],
        [
            format!("계정에 SSH 키가 등록되었습니다.\n\n{facts}"),
            "새 서버를 주문할 때 이 키를 선택할 수 있습니다. 이미 있는 서버는 바뀌지 않습니다."
                .to_owned(),
            format!(
                "본인이 등록하지 않았다면 키를 삭제하고 바로 {support}(으)로 알려 주세요:\n{link}"
            ),
        ],
        [
            format!("您的帳號新增了一把 SSH 金鑰。\n\n{facts}"),
            "訂購新主機時可以選用此金鑰，既有的主機不受影響。".to_owned(),
            format!("若不是您本人新增，請刪除該金鑰並立即聯絡 {support}：\n{link}"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

fn place(reader: &Reader, from: &SignInPlace, at: Timestamp) -> String {
    let (at, network) = (reader.at(at), &from.network);
    reader.say(
        format!("Time: {at}\nNetwork: {network}"),
        format!("시각: {at}\n네트워크: {network}"),
        format!("時間：{at}\n網路：{network}"),
    )
}

/// Somebody signed in from a device that is not known.
#[must_use]
pub fn new_sign_in(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let support = &sheet.support_email;
    let subject = reader.say(
        "New sign-in to your account",
        "새로운 기기에서 로그인했습니다",
        "您的帳號有新的登入",
    );
    let text = reader.say(
        [
            "Somebody has signed in to your account from a device that had not been used for it before."
                .to_owned(),
            place.clone(),
            "If it was you, there is nothing to do.".to_owned(),
            format!("If it was not you, write to {support} at once."),
        ],
        [
            "지금까지 이 계정에 사용하지 않았던 기기에서 로그인했습니다.".to_owned(),
            place.clone(),
            "본인이 로그인했다면 따로 하실 일은 없습니다.".to_owned(),
            format!("본인이 아니라면 바로 {support}(으)로 알려 주세요."),
        ],
        [
            "有人從先前未曾使用過的裝置登入了您的帳號。".to_owned(),
            place,
            "若是您本人，無須處理。".to_owned(),
            format!("若不是您本人，請立即聯絡 {support}。"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// Too many wrong passwords.
#[must_use]
pub fn sign_in_locked(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let support = &sheet.support_email;
    let subject = reader.say(
        "Too many wrong passwords for your account",
        "비밀번호를 여러 번 잘못 입력하여 로그인이 제한되었습니다",
        "密碼輸入錯誤次數過多，登入已暫時鎖定",
    );
    let text = reader.say(
        [
            "Somebody has tried to sign in to your account with wrong passwords, and is not heard for a while."
                .to_owned(),
            place.clone(),
            "From there signing in is locked for 30 minutes. If wrong passwords go on coming from many networks, it \
             is locked for a day, but for devices from which you have signed in before."
                .to_owned(),
            format!(
                "If it was you, try again after that time. If it was not you, your password has not been guessed and there \
                 is nothing to do; if it happens again, write to {support}. This mail comes at most once a day."
            ),
        ],
        [
            "누군가 잘못된 비밀번호로 이 계정에 로그인하려고 해서 로그인을 잠시 제한했습니다.".to_owned(),
            place.clone(),
            "해당 네트워크에서는 30분 동안 로그인할 수 없습니다. 여러 네트워크에서 잘못된 비밀번호가 계속 입력되면 하루 동안 \
             제한되며, 이전에 로그인한 적이 있는 기기에서는 계속 로그인할 수 있습니다."
                .to_owned(),
            format!(
                "본인이 입력했다면 잠시 후 다시 시도해 주세요. 본인이 아니라면 비밀번호가 알려진 것은 아니므로 따로 하실 일은 \
                 없습니다. 같은 일이 반복되면 {support}(으)로 알려 주세요. 이 메일은 하루에 한 번까지만 발송됩니다."
            ),
        ],
        [
            "有人以錯誤的密碼嘗試登入您的帳號，因此暫時限制登入。".to_owned(),
            place,
            "該網路在 30 分鐘內無法登入。若持續有多個網路輸入錯誤密碼，將鎖定一天，但您先前登入過的裝置不受影響。".to_owned(),
            format!(
                "若是您本人，請稍後再試。若不是您本人，您的密碼並未遭猜中，無須處理；若再次發生，請聯絡 {support}。此信一天最多寄送\
                 一次。"
            ),
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
    fn confirm_email_reads_so() {
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| confirm_email(&sheet, reader, "abc", at())));
    }

    #[test]
    fn welcome_reads_so() {
        insta::assert_snapshot!(preview(|reader| welcome(&stationery(), reader)));
    }

    #[test]
    fn key_added_reads_so() {
        let sheet = stationery();
        let key = Some(("ssh-ed25519", "SHA256:AAAA"));
        insta::assert_snapshot!(preview(|reader| key_added(&sheet, reader, key, at())));
        let gone = preview(|reader| key_added(&sheet, reader, None, at()));
        assert!(
            gone.contains("It is not in your account any more."),
            "{gone}"
        );
    }

    #[test]
    fn new_sign_in_reads_so() {
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| new_sign_in(
            &sheet,
            reader,
            &place(),
            at()
        )));
    }

    #[test]
    fn sign_in_locked_reads_so() {
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| sign_in_locked(
            &sheet,
            reader,
            &place(),
            at()
        )));
    }
}
