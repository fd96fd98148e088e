//! What mails say about two-step verification (the second factor).

use innkeeper_wire::time::Timestamp;

use super::place;
use crate::mails::rules::{Letter, Reader, SignInPlace, Stationery};

/// Where it is looked at and changed.
fn page(sheet: &Stationery, reader: &Reader) -> String {
    let link = sheet.link(reader, "account/two-step", "");
    reader.say(
        format!("Two-step verification of your account:\n{link}"),
        format!("2단계 인증 설정 보기:\n{link}"),
        format!("查看兩步驟驗證設定：\n{link}"),
    )
}

/// It was switched on.
#[must_use]
pub fn second_factor_on(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let support = &sheet.support_email;
    let page = page(sheet, reader);
    let subject = reader.say(
        "Two-step verification is on",
        "2단계 인증이 설정되었습니다",
        "兩步驟驗證已啟用",
    );
    let text = reader.say(
        [
            "From now on, signing in takes your password and a code of your authenticator app."
                .to_owned(),
            place.clone(),
            "Keep the recovery codes where you find them without your phone: each lets you in once."
                .to_owned(),
            format!("If it was not you, write to {support} at once."),
            page.clone(),
        ],
        [
            "이제 로그인할 때 비밀번호와 인증 앱의 코드가 필요합니다.".to_owned(),
            place.clone(),
            "복구 코드는 휴대폰 없이도 찾을 수 있는 곳에 보관해 주세요. 코드마다 한 번씩 로그인할 수 있습니다."
                .to_owned(),
            format!("본인이 설정하지 않았다면 바로 {support}(으)로 알려 주세요."),
            page.clone(),
        ],
        [
            "今後登入時，除了密碼，還需要驗證應用程式的驗證碼。".to_owned(),
            place,
            "請將復原碼保存在沒有手機也找得到的地方，每組復原碼可登入一次。".to_owned(),
            format!("若不是您本人設定，請立即聯絡 {support}。"),
            page,
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// It was switched off.
#[must_use]
pub fn second_factor_off(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let support = &sheet.support_email;
    let page = page(sheet, reader);
    let subject = reader.say(
        "Two-step verification is off",
        "2단계 인증이 해제되었습니다",
        "兩步驟驗證已停用",
    );
    let text = reader.say(
        [
            "From now on, your password alone is enough to sign in. The recovery codes are worth nothing any more."
                .to_owned(),
            place.clone(),
            format!("If it was not you, change your password and write to {support} at once."),
            page.clone(),
        ],
        [
            "이제 비밀번호만으로 로그인할 수 있습니다. 복구 코드는 더 이상 사용할 수 없습니다.".to_owned(),
            place.clone(),
            format!(
                "본인이 해제하지 않았다면 비밀번호를 변경하고 바로 {support}(으)로 알려 주세요."
            ),
            page.clone(),
        ],
        [
            "今後只需密碼即可登入，先前的復原碼已失效。".to_owned(),
            place,
            format!("若不是您本人停用，請更改密碼並立即聯絡 {support}。"),
            page,
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// There are other recovery codes.
#[must_use]
pub fn recovery_codes_renewed(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let support = &sheet.support_email;
    let page = page(sheet, reader);
    let subject = reader.say(
        "You have new recovery codes",
        "복구 코드가 새로 발급되었습니다",
        "您的復原碼已重新產生",
    );
    let text = reader.say(
        [
            "New recovery codes were made for your account. Those of before are worth nothing any more."
                .to_owned(),
            place.clone(),
            format!("If it was not you, change your password and write to {support} at once."),
            page.clone(),
        ],
        [
            "계정의 복구 코드가 새로 발급되었습니다. 이전 복구 코드는 더 이상 사용할 수 없습니다.".to_owned(),
            place.clone(),
            format!(
                "본인이 발급받지 않았다면 비밀번호를 변경하고 바로 {support}(으)로 알려 주세요."
            ),
            page.clone(),
        ],
        [
            "您帳號的復原碼已重新產生，先前的復原碼已失效。".to_owned(),
            place,
            format!("若不是您本人操作，請更改密碼並立即聯絡 {support}。"),
            page,
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// A recovery code was used; so many are left.
#[must_use]
pub fn recovery_code_used(
    sheet: &Stationery,
    reader: &Reader,
    left: u32,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let support = &sheet.support_email;
    let page = page(sheet, reader);
    let left_en = match left {
        0 => "It was the last one.".to_owned(),
        1 => "One is left.".to_owned(),
        left => format!("{left} are left."),
    };
    let left_ko = match left {
        0 => "남은 복구 코드가 없습니다.".to_owned(),
        left => format!("남은 복구 코드는 {left}개입니다."),
    };
    let left_zh = match left {
        0 => "已沒有剩餘的復原碼。".to_owned(),
        left => format!("剩餘 {left} 組復原碼。"),
    };
    let subject = reader.say(
        "A recovery code was used",
        "복구 코드가 사용되었습니다",
        "您的復原碼已被使用",
    );
    let text = reader.say(
        [
            format!(
                "A recovery code of your account was used in place of a code of your app. {left_en}"
            ),
            place.clone(),
            format!("If it was not you, change your password and write to {support} at once."),
            page.clone(),
        ],
        [
            format!("인증 앱의 코드 대신 복구 코드가 사용되었습니다. {left_ko}"),
            place.clone(),
            format!(
                "본인이 사용하지 않았다면 비밀번호를 변경하고 바로 {support}(으)로 알려 주세요."
            ),
            page.clone(),
        ],
        [
            format!("有人使用復原碼代替驗證應用程式的驗證碼。{left_zh}"),
            place,
            format!("若不是您本人使用，請更改密碼並立即聯絡 {support}。"),
            page,
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// Somebody who has the password enters wrong codes.
#[must_use]
pub fn wrong_codes(
    sheet: &Stationery,
    reader: &Reader,
    from: &SignInPlace,
    at: Timestamp,
) -> Letter {
    let place = place(reader, from, at);
    let page = sheet.link(reader, "account/password", "");
    let support = &sheet.support_email;
    let subject = reader.say(
        "Somebody has your password and enters wrong codes",
        "비밀번호 확인 후 잘못된 인증 코드가 여러 번 입력되었습니다",
        "有人輸入正確的密碼後，多次輸入錯誤的驗證碼",
    );
    let text = reader.say(
        [
            "Somebody entered the right password of your account, and then several wrong codes, which were refused."
                .to_owned(),
            place.clone(),
            format!(
                "If it was not you, somebody knows your password: change it at once, and write to {support} if it \
                 happens again.\n{page}"
            ),
        ],
        [
            "누군가 계정의 올바른 비밀번호를 입력한 뒤 인증 코드를 여러 번 잘못 입력했습니다. 입력된 코드는 모두 거부되었습니다."
                .to_owned(),
            place.clone(),
            format!(
                "본인이 아니라면 누군가 비밀번호를 알고 있는 것입니다. 바로 비밀번호를 변경해 주시고, 같은 일이 반복되면 \
                 {support}(으)로 알려 주세요.\n{page}"
            ),
        ],
        [
            "有人輸入了您帳號的正確密碼，接著多次輸入錯誤的驗證碼，均已遭拒絕。".to_owned(),
            place,
            format!(
                "若不是您本人，表示有人知道您的密碼：請立即更改密碼。若再次發生，請聯絡 {support}。\n{page}"
            ),
        ],
    );
    sheet.letter(reader, subject, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mails::rules::samples::{preview, stationery};

    type Write = fn(&Stationery, &Reader, &SignInPlace, Timestamp) -> Letter;

    fn read(write: Write) -> String {
        let place = SignInPlace {
            network: "203.0.113.0/24".to_owned(),
        };
        let at = "2026-11-26T23:00:00Z".parse().expect("a time");
        preview(|reader| write(&stationery(), reader, &place, at))
    }

    #[test]
    fn second_factor_on_reads_so() {
        insta::assert_snapshot!(read(second_factor_on));
    }

    #[test]
    fn second_factor_off_reads_so() {
        insta::assert_snapshot!(read(second_factor_off));
    }

    #[test]
    fn recovery_codes_renewed_reads_so() {
        insta::assert_snapshot!(read(recovery_codes_renewed));
    }

    #[test]
    fn recovery_code_used_reads_so() {
        let some = read(|sheet, reader, from, at| recovery_code_used(sheet, reader, 9, from, at));
        let one = read(|sheet, reader, from, at| recovery_code_used(sheet, reader, 1, from, at));
        let none = read(|sheet, reader, from, at| recovery_code_used(sheet, reader, 0, from, at));
        insta::assert_snapshot!(format!("{some}\n{one}\n{none}"));
    }

    #[test]
    fn wrong_codes_reads_so() {
        insta::assert_snapshot!(read(wrong_codes));
    }
}
