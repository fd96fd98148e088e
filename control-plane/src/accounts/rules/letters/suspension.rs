//! What mails say about a suspension.

use innkeeper_wire::api::{Suspension, SuspensionKind};

use crate::mails::rules::{Letter, Reader, Stationery};

/// The account is suspended, why, and what becomes of its servers.
#[must_use]
pub fn suspended(sheet: &Stationery, reader: &Reader, suspension: &Suspension) -> Letter {
    let Suspension {
        kind,
        since,
        reason,
    } = suspension;
    let support = &sheet.support_email;
    let since = reader.at(*since);
    let subject = reader.say(
        "Your account is suspended",
        "계정 이용이 정지되었습니다",
        "您的帳號已停權",
    );
    let what = what_is(reader, *kind, &since);
    let end = how_it_ends(reader, *kind, support);
    let text = reader.say(
        [
            what.clone(),
            format!("Reason:\n{reason}"),
            "Disks and addresses are kept, and nothing is charged meanwhile. You can sign in and look at everything. Ordering, powering servers and changing SSH keys are not possible."
                .to_owned(),
            end.clone(),
        ],
        [
            what.clone(),
            format!("사유:\n{reason}"),
            "디스크와 IP 주소는 그대로 보관되며, 이용 정지 기간에는 요금이 청구되지 않습니다. 로그인하여 내용을 확인할 수는 있지만 주문, 서버 전원 조작, SSH 키 변경은 할 수 없습니다."
                .to_owned(),
            end.clone(),
        ],
        [
            what,
            format!("原因：\n{reason}"),
            "硬碟與 IP 位址會保留，停權期間不會計費。您仍可登入查看，但無法訂購、操作主機電源或變更 SSH 金鑰。"
                .to_owned(),
            end,
        ],
    );
    sheet.letter(reader, subject, &text)
}

/// What the account is suspended for, and what becomes of its servers.
fn what_is(reader: &Reader, kind: SuspensionKind, since: &str) -> String {
    match kind {
        SuspensionKind::Debt => reader.say(
            format!("Your account is suspended since {since}, because something is owed. Your servers are shut down."),
            format!("납부되지 않은 금액이 있어 {since}부터 계정 이용이 정지되었습니다. 서버는 정지됩니다."),
            format!("由於有款項尚未付清，您的帳號自 {since} 起停權，主機將會關機。"),
        ),
        SuspensionKind::Balance => reader.say(
            format!("Your account is suspended since {since}, because your balance is used up. Your servers are shut down."),
            format!("잔액이 모두 소진되어 {since}부터 계정 이용이 정지되었습니다. 서버는 정지됩니다."),
            format!("由於餘額已用盡，您的帳號自 {since} 起停權，主機將會關機。"),
        ),
        SuspensionKind::Abuse => reader.say(
            format!("Your account is suspended since {since}, because your servers do harm to others. They run on, and their network is cut."),
            format!("고객님의 서버가 다른 이용자에게 피해를 주고 있어 {since}부터 계정 이용이 정지되었습니다. 서버는 계속 실행되지만 네트워크가 차단됩니다."),
            format!("由於您的主機對他人造成危害，您的帳號自 {since} 起停權。主機會繼續執行，但網路已切斷。"),
        ),
    }
}

fn how_it_ends(reader: &Reader, kind: SuspensionKind, support: &str) -> String {
    match kind {
        SuspensionKind::Balance => reader.say(
            format!("Your billing page says how to go on. If you think that it is a mistake, write to {support}."),
            format!("계속 이용하는 방법은 결제 페이지에서 확인해 주세요. 착오라고 생각되시면 {support}(으)로 문의해 주세요."),
            format!("如何繼續使用請見帳務頁面。若您認為有誤，請聯絡 {support}。"),
        ),
        SuspensionKind::Debt | SuspensionKind::Abuse => reader.say(
            format!("To end the suspension, or if you think that it is a mistake, write to {support}."),
            format!("이용 정지를 해제하려면, 또는 착오라고 생각되시면 {support}(으)로 문의해 주세요."),
            format!("若要解除停權，或您認為有誤，請聯絡 {support}。"),
        ),
    }
}

/// The suspension is over.
#[must_use]
pub fn resumed(sheet: &Stationery, reader: &Reader) -> Letter {
    let link = sheet.link(reader, "servers", "");
    let subject = reader.say(
        "Your account can be used again",
        "계정을 다시 이용할 수 있습니다",
        "您的帳號已恢復使用",
    );
    let text = reader.say(
        [
            "The suspension of your account is over. Your servers become what they were before; this may take some minutes, and from now on they are charged again."
                .to_owned(),
            format!("Your servers:\n{link}"),
        ],
        [
            "계정 이용 정지가 해제되었습니다. 서버는 이용 정지 전의 상태로 돌아가며, 몇 분 정도 걸릴 수 있습니다. 지금부터 요금이 다시 청구됩니다."
                .to_owned(),
            format!("서버 보기:\n{link}"),
        ],
        [
            "您的帳號已解除停權。主機將恢復為停權前的狀態，可能需要幾分鐘，並自現在起恢復計費。"
                .to_owned(),
            format!("查看主機：\n{link}"),
        ],
    );
    sheet.letter(reader, subject, &text)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::time::Timestamp;

    use super::*;
    use crate::mails::rules::samples::{preview, stationery};

    #[test]
    fn suspended_reads_so() {
        let sheet = stationery();
        let letters = SuspensionKind::ALL.iter().map(|kind| {
            let suspension = Suspension {
                kind: *kind,
                since: Timestamp::from_millis(1_790_000_000_000),
                reason: "See our mail of 1 September.".to_owned(),
            };
            preview(|reader| suspended(&sheet, reader, &suspension))
        });
        insta::assert_snapshot!(letters.collect::<String>());
    }

    #[test]
    fn resumed_reads_so() {
        let sheet = stationery();
        insta::assert_snapshot!(preview(|reader| resumed(&sheet, reader)));
    }
}
