//! What mails say about an operator's approval (R26).

use crate::mails::rules::{Letter, Reader, Stationery};

/// The address is confirmed, and an operator looks at the sign-up.
#[must_use]
pub fn approval_awaited(sheet: &Stationery, reader: &Reader) -> Letter {
    let support = &sheet.support_email;
    let subject = reader.say(
        "Your sign-up was received and awaits approval",
        "회원가입 신청이 접수되어 승인 대기 중입니다",
        "已收到您的註冊申請，等待核准",
    );
    let text = reader.say(
        [
            "Your e-mail address is confirmed, and your sign-up was received.".to_owned(),
            "We look at the sign-up of each company. You can sign in as soon as yours is approved; a mail will tell you."
                .to_owned(),
            format!("If you have questions in the meantime, write to {support}."),
        ],
        [
            "이메일 인증이 완료되어 회원가입 신청이 접수되었습니다.".to_owned(),
            "기업회원과 파트너회원은 관리자의 가입 승인이 필요합니다. 승인되면 메일로 알려 드리며, 그때부터 로그인할 수 \
             있습니다."
                .to_owned(),
            format!("궁금한 점이 있으면 {support}(으)로 문의해 주세요."),
        ],
        [
            "您的電子郵件地址已完成驗證，我們已收到您的註冊申請。".to_owned(),
            "企業會員與合作夥伴會員須經管理員核准。核准後我們會以電子郵件通知您，屆時即可登入。".to_owned(),
            format!("期間若有疑問，請聯絡 {support}。"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// The account can be used.
#[must_use]
pub fn approved(sheet: &Stationery, reader: &Reader) -> Letter {
    let link = sheet.link(reader, "sign-in", "");
    let subject = reader.say(
        "Your account is approved",
        "회원가입이 승인되었습니다",
        "您的帳號已核准",
    );
    let text = reader.say(
        [
            "Your sign-up is approved. You can use your account from now on.".to_owned(),
            format!("Sign in here:\n{link}"),
            "To sign in to a server you need an SSH key. Add it under \"SSH keys\", then order your first server."
                .to_owned(),
        ],
        [
            "회원가입이 승인되었습니다. 지금부터 계정을 사용할 수 있습니다.".to_owned(),
            format!("로그인하러 가기:\n{link}"),
            "서버에 접속하려면 SSH 키가 필요합니다. 'SSH 키'에서 키를 등록한 뒤 첫 서버를 주문해 주세요."
                .to_owned(),
        ],
        [
            "您的註冊申請已核准，現在起可以使用您的帳號。".to_owned(),
            format!("由此登入：\n{link}"),
            "登入主機需要 SSH 金鑰。請先在「SSH 金鑰」新增金鑰，再訂購第一台主機。".to_owned(),
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// The account can't be used, and why.
#[must_use]
pub fn rejected(sheet: &Stationery, reader: &Reader, reason: &str) -> Letter {
    let support = &sheet.support_email;
    let subject = reader.say(
        "Your sign-up was not approved",
        "회원가입이 승인되지 않았습니다",
        "您的註冊申請未獲核准",
    );
    let text = reader.say(
        [
            "Your sign-up was not approved, and the account can't be used.".to_owned(),
            format!("Reason:\n{reason}"),
            "You can sign up again with this e-mail address, and another ID.".to_owned(),
            format!("If you think that this is a mistake, write to {support}."),
        ],
        [
            "회원가입이 승인되지 않아 이 계정을 사용할 수 없습니다.".to_owned(),
            format!("사유:\n{reason}"),
            "같은 이메일 주소와 다른 아이디로 다시 가입을 신청할 수 있습니다.".to_owned(),
            format!("착오라고 생각되시면 {support}(으)로 문의해 주세요."),
        ],
        [
            "您的註冊申請未獲核准，此帳號無法使用。".to_owned(),
            format!("原因：\n{reason}"),
            "您可以使用相同的電子郵件地址與另一個帳號名稱重新申請。".to_owned(),
            format!("若您認為有誤，請聯絡 {support}。"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mails::rules::samples::{preview, stationery};

    #[test]
    fn approval_awaited_reads_so() {
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| approval_awaited(&sheet, reader)));
    }

    #[test]
    fn approved_reads_so() {
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| approved(&sheet, reader)));
    }

    #[test]
    fn rejected_reads_so() {
        let sheet = stationery();
        let reason = "We could not find the company in the register.";
        insta::assert_snapshot!(preview(|reader| rejected(&sheet, reader, reason)));
    }
}
