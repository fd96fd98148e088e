//! What mails say about a second factor that somebody has lost.

use innkeeper_wire::time::Timestamp;

use super::place;
use crate::mails::rules::{FactorKept, Letter, Reader, SignInPlace, Stationery};

/// Somebody with the password wants the factor off; goes to all addresses, with a link that ends it.
#[must_use]
pub fn lost_factor_asked(
    sheet: &Stationery,
    reader: &Reader,
    (from, at): (&SignInPlace, Timestamp),
    off_from: Timestamp,
    token: &str,
) -> Letter {
    let place = place(reader, from, at);
    let link = sheet.link(reader, "cancel-lost-factor", &format!("&token={token}"));
    let off_from = reader.at(off_from);
    let subject = reader.say(
        "Somebody wants two-step verification of your account off",
        "2단계 인증 해제가 요청되었습니다",
        "有人要求停用您帳號的兩步驟驗證",
    );
    let text = reader.say(
        [
            "Somebody who knows your password has neither the app nor a recovery code, and asks us to switch two-step \
             verification of your account off."
                .to_owned(),
            place.clone(),
            format!(
                "If it was not you, somebody knows your password. End the request now, which needs no sign-in, and change your \
                 password:\n{link}"
            ),
            format!(
                "If it was you: two of our staff look at it, and may ask you who you are. Nothing changes before {off_from}. \
                 Should you find the app or a recovery code meanwhile, sign in with it: that ends the request."
            ),
        ],
        [
            "올바른 비밀번호를 입력한 누군가가 인증 앱과 복구 코드를 모두 사용할 수 없다며 계정의 2단계 인증 해제를 \
             요청했습니다."
                .to_owned(),
            place.clone(),
            format!(
                "본인이 아니라면 누군가 비밀번호를 알고 있는 것입니다. 아래 링크에서 바로 요청을 취소하고(로그인이 필요하지 \
                 않습니다) 비밀번호를 변경해 주세요.\n{link}"
            ),
            format!(
                "본인이 요청했다면 담당자 두 명이 요청을 확인하며, 본인 확인을 위해 연락드릴 수 있습니다. {off_from} 전에는 \
                 아무것도 바뀌지 않습니다. 그 사이에 인증 앱이나 복구 코드를 찾으면 그것으로 로그인해 주세요. 요청은 \
                 자동으로 취소됩니다."
            ),
        ],
        [
            "有人輸入了正確的密碼，但表示驗證應用程式與復原碼都無法使用，要求我們停用您帳號的兩步驟驗證。".to_owned(),
            place,
            format!(
                "若不是您本人，表示有人知道您的密碼。請立即由以下連結取消此要求（無須登入），並更改密碼：\n{link}"
            ),
            format!(
                "若是您本人，將由兩位工作人員審核，並可能向您確認身分。在 {off_from} 之前不會有任何變更。若您在此期間找到驗證\
                 應用程式或復原碼，請直接用來登入，此要求即會取消。"
            ),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// The factor is off.
#[must_use]
pub fn lost_factor_off(sheet: &Stationery, reader: &Reader) -> Letter {
    let support = &sheet.support_email;
    let page = sheet.link(reader, "account/two-step", "");
    let subject = reader.say(
        "Two-step verification is off, as was asked for",
        "요청하신 2단계 인증 해제가 완료되었습니다",
        "已依要求停用兩步驟驗證",
    );
    let text = reader.say(
        [
            "Somebody who knew your password asked for it, and our staff have looked at it: from now on, your password alone \
             is enough to sign in. The app and the recovery codes are worth nothing any more."
                .to_owned(),
            "You are signed out everywhere, and your API tokens are off until you put each of them on again.".to_owned(),
            format!("Sign in, and set two-step verification up anew:\n{page}"),
            format!("If you have not asked for it, change your password and write to {support} at once."),
        ],
        [
            "올바른 비밀번호로 접수된 요청을 담당자가 확인하여 2단계 인증을 해제했습니다. 이제 비밀번호만으로 로그인할 수 \
             있습니다. 이전 인증 앱과 복구 코드는 더 이상 사용할 수 없습니다."
                .to_owned(),
            "모든 기기에서 로그아웃되었으며, API 토큰은 하나씩 다시 사용하도록 설정할 때까지 꺼져 있습니다.".to_owned(),
            format!("로그인한 뒤 2단계 인증을 다시 설정해 주세요.\n{page}"),
            format!("본인이 요청하지 않았다면 비밀번호를 변경하고 바로 {support}(으)로 알려 주세요."),
        ],
        [
            "我們收到以正確密碼提出的要求，經工作人員審核後已停用兩步驟驗證。今後只需密碼即可登入，先前的驗證應用程式與復原碼\
             已失效。"
                .to_owned(),
            "所有裝置皆已登出，API 權杖在您重新啟用之前無法使用。".to_owned(),
            format!("請登入並重新設定兩步驟驗證：\n{page}"),
            format!("若您並未提出此要求，請更改密碼並立即聯絡 {support}。"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// The request is over, and the factor stays on.
#[must_use]
pub fn lost_factor_kept(sheet: &Stationery, reader: &Reader, by: FactorKept) -> Letter {
    let support = &sheet.support_email;
    let page = sheet.link(reader, "account/password", "");
    let why = match by {
        FactorKept::Link => reader.say(
            "It was ended by the link in a mail.",
            "메일의 링크로 취소되었습니다.",
            "已由信件中的連結取消。",
        ),
        FactorKept::Used => reader.say(
            "It was ended because somebody used a code of the app or a recovery code.",
            "인증 앱의 코드 또는 복구 코드가 사용되어 취소되었습니다.",
            "因有人使用了驗證應用程式的驗證碼或復原碼，已自動取消。",
        ),
        FactorKept::Rejected => reader.say(
            "Our staff have rejected it.",
            "담당자가 요청을 거절했습니다.",
            "工作人員已拒絕此要求。",
        ),
        FactorKept::Expired => reader.say(
            "It was not confirmed in time.",
            "기한 안에 확인되지 않아 만료되었습니다.",
            "未於期限內完成審核，已失效。",
        ),
    };
    let subject = reader.say(
        "Two-step verification of your account stays on",
        "2단계 인증이 유지됩니다",
        "您帳號的兩步驟驗證維持啟用",
    );
    let text = reader.say(
        [
            format!("The request to switch two-step verification of your account off is over. {why}"),
            "Nothing has changed: a code is asked for at each sign-in.".to_owned(),
            format!(
                "If you have not made the request, somebody knows your password: change it.\n{page}\n\nQuestions: {support}"
            ),
        ],
        [
            format!("계정의 2단계 인증 해제 요청이 종료되었습니다. {why}"),
            "바뀐 것은 없으며, 로그인할 때 계속 인증 코드가 필요합니다.".to_owned(),
            format!(
                "본인이 요청하지 않았다면 누군가 비밀번호를 알고 있는 것입니다. 비밀번호를 변경해 주세요.\n{page}\n\n문의: {support}"
            ),
        ],
        [
            format!("停用您帳號兩步驟驗證的要求已結束。{why}"),
            "設定沒有任何變更，登入時仍需要驗證碼。".to_owned(),
            format!("若您並未提出此要求，表示有人知道您的密碼，請更改密碼。\n{page}\n\n聯絡客服：{support}"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mails::rules::samples::{preview, stationery};

    #[test]
    fn lost_factor_asked_reads_so() {
        let sheet = stationery();
        let place = SignInPlace {
            network: "203.0.113.0/24".to_owned(),
        };
        let at: Timestamp = "2026-11-26T23:00:00Z".parse().expect("a time");
        let off_from = "2026-11-29T23:00:00Z".parse().expect("a time");
        insta::assert_snapshot!(preview(|reader| lost_factor_asked(
            &sheet,
            reader,
            (&place, at),
            off_from,
            "acc_1.abc"
        )));
    }

    #[test]
    fn lost_factor_off_reads_so() {
        insta::assert_snapshot!(preview(|reader| lost_factor_off(&stationery(), reader)));
    }

    #[test]
    fn lost_factor_kept_reads_so() {
        let text = [
            FactorKept::Link,
            FactorKept::Used,
            FactorKept::Rejected,
            FactorKept::Expired,
        ]
        .map(|by| preview(|reader| lost_factor_kept(&stationery(), reader, by)));
        insta::assert_snapshot!(text.join("\n"));
    }
}
