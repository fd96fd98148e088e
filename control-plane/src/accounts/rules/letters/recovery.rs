//! What mails say that lead back into an account.

use innkeeper_wire::time::Timestamp;

use super::place;
use crate::mails::rules::{Letter, Reader, SignInPlace, Stationery};

/// The IDs of an address.
#[must_use]
pub fn login_ids(sheet: &Stationery, reader: &Reader, ids: &[String]) -> Letter {
    let ids = ids.join("\n");
    let sign_in = sheet.link(reader, "sign-in", "");
    let reset = sheet.link(reader, "find-password", "");
    let subject = reader.say("Your ID", "아이디 찾기 안내", "您的帳號");
    let text = reader.say(
        [
            format!("These accounts have been opened with your e-mail address:\n\n{ids}"),
            format!("Sign in here:\n{sign_in}"),
            format!("If you have forgotten the password as well:\n{reset}"),
            "If you did not ask for this mail, ignore it: whoever asked for it has learned nothing."
                .to_owned(),
        ],
        [
            format!("이 이메일 주소로 가입한 아이디입니다.\n\n{ids}"),
            format!("로그인하러 가기:\n{sign_in}"),
            format!("비밀번호도 잊으셨다면 비밀번호 찾기를 이용해 주세요:\n{reset}"),
            "본인이 요청하지 않았다면 이 메일을 무시해 주세요. 요청한 사람에게는 아무것도 알려 주지 않습니다."
                .to_owned(),
        ],
        [
            format!("使用此電子郵件地址註冊的帳號如下：\n\n{ids}"),
            format!("由此登入：\n{sign_in}"),
            format!("若也忘記了密碼，請使用「找回密碼」：\n{reset}"),
            "若您並未提出此要求，請忽略此信，提出要求的人不會得知任何資訊。".to_owned(),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// Choose another password.
#[must_use]
pub fn password_reset(
    sheet: &Stationery,
    reader: &Reader,
    token: &str,
    expires_at: Timestamp,
) -> Letter {
    let link = sheet.link(reader, "reset-password", &format!("&token={token}"));
    let until = reader.minute(expires_at);
    let (until, zone) = (until.text, until.zone);
    let subject = reader.say(
        "Choose a new password",
        "비밀번호를 재설정해 주세요",
        "請重新設定您的密碼",
    );
    let text = reader.say(
        [
            format!("Choose a new password for your account here:\n{link}"),
            format!("The link works once, until {until} ({zone})."),
            "All devices are signed out by that. If two-step verification is on, you are still asked for a code."
                .to_owned(),
            "If you did not ask for this, ignore this mail: your password stays as it is.".to_owned(),
        ],
        [
            format!("아래 링크에서 새 비밀번호를 설정해 주세요.\n\n비밀번호 재설정하러 가기:\n{link}"),
            format!("링크는 {until}까지 ({zone}) 한 번만 사용할 수 있습니다."),
            "비밀번호를 재설정하면 모든 기기에서 로그아웃됩니다. 2단계 인증을 사용 중이라면 로그인할 때 인증 코드도 입력해야 합니다."
                .to_owned(),
            "본인이 요청하지 않았다면 이 메일을 무시해 주세요. 비밀번호는 바뀌지 않습니다.".to_owned(),
        ],
        [
            format!("請由以下連結重新設定您的密碼：\n{link}"),
            format!("此連結僅能使用一次，有效期限至 {until}（{zone}）。"),
            "重新設定後，所有裝置都會登出。若您已啟用兩步驟驗證，登入時仍須輸入驗證碼。".to_owned(),
            "若您並未提出此要求，請忽略此信，您的密碼不會變更。".to_owned(),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// Another password was asked for again, while the link of before still works.
#[must_use]
pub fn password_reset_again(
    sheet: &Stationery,
    reader: &Reader,
    asked_at: Timestamp,
    until: Timestamp,
) -> Letter {
    let (at, until) = (reader.at(asked_at), reader.at(until));
    let support = &sheet.support_email;
    let subject = reader.say(
        "A new password was asked for already",
        "이미 비밀번호 재설정을 요청하셨습니다",
        "您已提出過重設密碼的要求",
    );
    let text = reader.say(
        [
            format!("A new password for your account was asked for once more at {at}."),
            format!(
                "We have mailed you a link before, which works until {until}. Please use that one; look into your spam folder \
                 if you do not find it. No second link is sent while it works."
            ),
            format!(
                "If you did not ask for it, ignore both mails: your password stays as it is. If it happens again, write to \
                 {support}."
            ),
        ],
        [
            format!("{at}에 이 계정의 비밀번호 재설정이 다시 요청되었습니다."),
            format!(
                "먼저 보내 드린 링크를 {until}까지 사용할 수 있습니다. 그 메일의 링크를 이용해 주시고, 보이지 않으면 스팸함을 \
                 확인해 주세요. 링크가 유효한 동안에는 새 링크를 보내지 않습니다."
            ),
            format!(
                "본인이 요청하지 않았다면 두 메일을 모두 무시해 주세요. 비밀번호는 바뀌지 않습니다. 같은 일이 반복되면 \
                 {support}(으)로 알려 주세요."
            ),
        ],
        [
            format!("{at} 再次有人要求重設此帳號的密碼。"),
            format!(
                "先前寄給您的連結在 {until} 前仍然有效，請使用該連結；若找不到該信，請查看垃圾郵件匣。連結有效期間不會再寄送新的\
                 連結。"
            ),
            format!(
                "若您並未提出此要求，請忽略這兩封信，您的密碼不會變更。若再次發生，請聯絡 {support}。"
            ),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// The password was changed.
#[must_use]
pub fn password_changed(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let reset = sheet.link(reader, "find-password", "");
    let support = &sheet.support_email;
    let subject = reader.say(
        "Your password was changed",
        "비밀번호가 변경되었습니다",
        "您的密碼已變更",
    );
    let text = reader.say(
        [
            "The password of your account was changed.".to_owned(),
            place.clone(),
            "All other devices have been signed out.".to_owned(),
            format!(
                "If it was not you, choose a new password at once, and write to {support}:\n{reset}"
            ),
        ],
        [
            "계정의 비밀번호가 변경되었습니다.".to_owned(),
            place.clone(),
            "다른 모든 기기에서는 로그아웃되었습니다.".to_owned(),
            format!(
                "본인이 변경하지 않았다면 바로 비밀번호를 재설정하고 {support}(으)로 알려 주세요:\n{reset}"
            ),
        ],
        [
            "您帳號的密碼已變更。".to_owned(),
            place,
            "其他所有裝置均已登出。".to_owned(),
            format!("若不是您本人變更，請立即重新設定密碼，並聯絡 {support}：\n{reset}"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mails::rules::samples::{preview, stationery};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn login_ids_reads_so() {
        let ids = ["minji90".to_owned(), "minji91".to_owned()];
        insta::assert_snapshot!(preview(|reader| login_ids(&stationery(), reader, &ids)));
    }

    #[test]
    fn password_reset_reads_so() {
        let until = at("2026-11-26T23:30:00Z");
        insta::assert_snapshot!(preview(|reader| password_reset(
            &stationery(),
            reader,
            "acc_1.abc",
            until
        )));
    }

    #[test]
    fn password_reset_again_reads_so() {
        let (asked, until) = (at("2026-11-26T23:10:00Z"), at("2026-11-26T23:30:00Z"));
        insta::assert_snapshot!(preview(|reader| password_reset_again(
            &stationery(),
            reader,
            asked,
            until
        )));
    }

    #[test]
    fn password_changed_reads_so() {
        let place = SignInPlace {
            network: "203.0.113.0/24".to_owned(),
        };
        insta::assert_snapshot!(preview(|reader| password_changed(
            &stationery(),
            reader,
            &place,
            at("2026-11-26T23:00:00Z")
        )));
    }
}
