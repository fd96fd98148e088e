//! What mails about a server say.

use std::time::Duration;

use innkeeper_wire::{host::ServerProblemCode, time::Timestamp};

use super::server::Server;
use crate::mails::rules::{Letter, Reader, Stationery};

/// A server was seen ready for the first time, at `at`.
#[must_use]
pub fn ready(sheet: &Stationery, reader: &Reader, server: &Server, at: Timestamp) -> Letter {
    let Server { name, nic, .. } = server;
    let user = &server.image.login_user;
    let addresses: Vec<_> = nic.addresses.iter().map(ToString::to_string).collect();
    let commands: Vec<_> = addresses
        .iter()
        .map(|address| format!("ssh {user}@{address}"))
        .collect();
    let (addresses, commands) = (addresses.join("\n"), commands.join("\n"));
    let link = page_of(sheet, reader, server);
    let at = reader.at(at);
    let subject = reader.say(
        format!("Your server {name} is ready"),
        format!("서버 {name} 준비가 완료되었습니다"),
        format!("您的主機 {name} 已可使用"),
    );
    let text = reader.say(
        [
            format!("Your server {name} is ready."),
            format!("Addresses:\n{addresses}"),
            format!("Sign in with one of the SSH keys that you chose for it:\n{commands}"),
            format!("The server in the portal:\n{link}"),
            format!("It is charged from {at}, also while it is stopped, until you delete it."),
        ],
        [
            format!("서버 {name} 준비가 완료되었습니다."),
            format!("IP 주소:\n{addresses}"),
            format!("주문할 때 선택한 SSH 키로 접속해 주세요:\n{commands}"),
            format!("포털에서 서버 보기:\n{link}"),
            format!("요금은 {at}부터 삭제할 때까지 청구됩니다. 정지 중에도 요금이 청구됩니다."),
        ],
        [
            format!("您的主機 {name} 已可使用。"),
            format!("IP 位址：\n{addresses}"),
            format!("請以訂購時選用的 SSH 金鑰登入：\n{commands}"),
            format!("在入口網站查看主機：\n{link}"),
            format!("自 {at} 起計費，關機期間仍會計費，直到您刪除主機為止。"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// A server could not be made, which was clear at `at`.
#[must_use]
pub fn create_failed(
    sheet: &Stationery,
    reader: &Reader,
    server: &Server,
    at: Timestamp,
) -> Letter {
    let name = &server.name;
    let reason = reason(reader, server.failure.as_ref().map(|failure| failure.code));
    let link = page_of(sheet, reader, server);
    let (at, id, support) = (reader.at(at), server.id, &sheet.support_email);
    let subject = reader.say(
        format!("Your server {name} could not be made"),
        format!("서버 {name} 생성에 실패했습니다"),
        format!("您的主機 {name} 建立失敗"),
    );
    let text = reader.say(
        [
            format!("Your server {name} could not be made. Nothing is charged for it."),
            format!("Reason: {reason}\nTime: {at}"),
            format!("Order it again from its page:\n{link}"),
            format!("If it fails again, write to {support} and name {id}."),
        ],
        [
            format!("서버 {name} 생성에 실패했습니다. 요금은 청구되지 않습니다."),
            format!("사유: {reason}\n시각: {at}"),
            format!("서버 페이지에서 다시 주문할 수 있습니다:\n{link}"),
            format!("같은 일이 반복되면 {support}(으)로 다음 ID를 알려 주세요: {id}"),
        ],
        [
            format!("您的主機 {name} 建立失敗，不會計費。"),
            format!("原因：{reason}\n時間：{at}"),
            format!("可由主機頁面重新訂購：\n{link}"),
            format!("若再次失敗，請聯絡 {support} 並提供 {id}。"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// Why a server was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its owner, or staff, wanted it.
    Asked,
    /// Its account stayed suspended for money.
    Unpaid,
}

/// A server was deleted at `at`; its disk is kept for so many days.
#[must_use]
pub fn deleted(
    sheet: &Stationery,
    reader: &Reader,
    server: &Server,
    at: Timestamp,
    (why, tombstone_days): (Why, u32),
) -> Letter {
    let name = &server.name;
    let kept = Duration::from_secs(u64::from(tombstone_days) * 24 * 3_600);
    let day = reader.zone.day(reader.locale, at.after(kept));
    let (at, support) = (reader.at(at), &sheet.support_email);
    let subject = reader.say(
        format!("Your server {name} was deleted"),
        format!("서버 {name}이(가) 삭제되었습니다"),
        format!("您的主機 {name} 已刪除"),
    );
    let mut text = vec![reader.say(
        format!("Your server {name} was deleted on {at}. It is not charged any more from then on."),
        format!("서버 {name}이(가) {at}에 삭제되었습니다. 이후에는 요금이 청구되지 않습니다."),
        format!("您的主機 {name} 已於 {at} 刪除，此後不再計費。"),
    )];
    if why == Why::Unpaid {
        let because = reader.say(
            "It was deleted because your account stayed suspended: nothing was paid in time.",
            "기한 내에 납부 또는 충전이 확인되지 않아 계정 이용 정지가 계속되었으므로 삭제되었습니다.",
            "由於未在期限內收到款項，帳號持續停權，主機因此刪除。",
        );
        text.push(because.to_owned());
    }
    // One that never ran has nothing on its disk.
    if server.seen_up || server.ready_at.is_some() {
        text.push(reader.say(
            format!("Its disk is kept until {day} and is destroyed then, with everything on it."),
            format!("디스크는 {day}까지 보관한 뒤 모든 데이터와 함께 완전히 삭제합니다."),
            format!("硬碟保留至 {day}，之後連同所有資料一併銷毀。"),
        ));
        let id = server.id;
        text.push(match why {
            Why::Asked => reader.say(
                format!(
                    "If you did not mean it, write to {support} before that day and name {id}."
                ),
                format!("실수로 삭제했다면 그 전에 {support}(으)로 다음 ID를 알려 주세요: {id}"),
                format!("若為誤刪，請於該日前聯絡 {support} 並提供 {id}。"),
            ),
            Why::Unpaid => reader.say(
                format!("If you want it back, write to {support} before that day and name {id}."),
                format!("복구를 원하시면 그 전에 {support}(으)로 다음 ID를 알려 주세요: {id}"),
                format!("若要復原，請於該日前聯絡 {support} 並提供 {id}。"),
            ),
        });
    }
    sheet.letter(reader, &subject, &text)
}

/// A server was lost with its host, as was declared at `at`.
#[must_use]
pub fn lost(sheet: &Stationery, reader: &Reader, server: &Server, at: Timestamp) -> Letter {
    let name = &server.name;
    let link = page_of(sheet, reader, server);
    let (at, id, support) = (reader.at(at), server.id, &sheet.support_email);
    let subject = reader.say(
        format!("Your server {name} was lost"),
        format!("서버 {name}이(가) 유실되었습니다"),
        format!("您的主機 {name} 已遺失"),
    );
    let text = reader.say(
        [
            format!(
                "The physical machine on which your server {name} ran has failed for good. The server ended on {at}, and we \
                 can't bring it back. We are sorry."
            ),
            "Its disk was in that machine: treat everything on it as lost. Its addresses are not yours any more.".to_owned(),
            format!("It is not charged any more from {at} on."),
            format!("Order a new one from its page, and restore your own backup there:\n{link}"),
            format!("If you have questions, write to {support} and name {id}."),
        ],
        [
            format!(
                "서버 {name}이(가) 있던 물리 장비가 복구할 수 없게 고장났습니다. 서버는 {at}에 종료되었으며 되살릴 수 없습니다. \
                 불편을 드려 죄송합니다."
            ),
            "디스크도 그 장비에 있었으므로 저장된 데이터는 모두 유실된 것으로 보셔야 합니다. IP 주소도 더 이상 사용할 수 없습니다."
                .to_owned(),
            format!("{at} 이후에는 요금이 청구되지 않습니다."),
            format!("서버 페이지에서 새로 주문한 뒤 보관 중인 백업을 복원해 주세요:\n{link}"),
            format!("궁금한 점은 {support}(으)로 {id}를 알려 주시면서 문의해 주세요."),
        ],
        [
            format!(
                "您的主機 {name} 所在的實體機已損壞且無法修復。主機已於 {at} 終止，無法復原。造成不便，敬請見諒。"
            ),
            "硬碟位於該實體機，請視其中所有資料為已遺失。原有的 IP 位址也不再屬於您。".to_owned(),
            format!("自 {at} 起不再計費。"),
            format!("請由主機頁面重新訂購，並還原您自己的備份：\n{link}"),
            format!("如有疑問，請聯絡 {support} 並提供 {id}。"),
        ],
    );
    sheet.letter(reader, &subject, &text)
}

/// Its page in the portal.
fn page_of(sheet: &Stationery, reader: &Reader, server: &Server) -> String {
    let path = ["servers".to_owned(), server.id.to_string()];
    sheet.link(reader, &path.join("/"), "")
}

fn reason(reader: &Reader, code: Option<ServerProblemCode>) -> &'static str {
    match code {
        Some(ServerProblemCode::ImageUnavailable) => reader.say(
            "The operating system's image could not be fetched.",
            "운영체제 이미지를 가져오지 못했습니다.",
            "無法取得作業系統映像檔。",
        ),
        Some(ServerProblemCode::DiskFailed) => reader.say(
            "The disk could not be made.",
            "디스크를 만들지 못했습니다.",
            "無法建立硬碟。",
        ),
        Some(ServerProblemCode::NetworkFailed) => reader.say(
            "The network could not be set up.",
            "네트워크를 설정하지 못했습니다.",
            "無法設定網路。",
        ),
        Some(ServerProblemCode::StartFailed) => reader.say(
            "The server could not be started.",
            "서버를 시작하지 못했습니다.",
            "無法啟動主機。",
        ),
        Some(ServerProblemCode::DeadlineMissed) => reader.say(
            "It took longer than it may.",
            "허용된 시간을 넘겼습니다.",
            "超過允許的時間。",
        ),
        Some(ServerProblemCode::FeatureMissing) => reader.say(
            "The host must be updated first.",
            "호스트를 먼저 업데이트해야 합니다.",
            "實體機需要先更新。",
        ),
        Some(ServerProblemCode::NotReachable) => reader.say(
            "The server was started, but could not be reached on its network within 30 minutes. If it happens again, choose \
             another operating system.",
            "서버를 시작했지만 30분 안에 네트워크로 연결되지 않았습니다. 같은 일이 반복되면 다른 운영체제를 선택해 주세요.",
            "主機已啟動，但 30 分鐘內無法透過網路連線。若再次發生，請改選其他作業系統。",
        ),
        // What does not happen while a server is made, and what a record from before reasons were kept does not say.
        Some(
            ServerProblemCode::ShutdownIgnored
            | ServerProblemCode::DeleteFailed
            | ServerProblemCode::NotAnswering
            | ServerProblemCode::RebootFailed,
        )
        | None => reader.say(
            "Something went wrong on our side.",
            "당사 쪽에서 문제가 발생했습니다.",
            "我方發生問題。",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mails::rules::samples::{preview, stationery},
        servers::rules::server::{CreateFailure, any_server},
    };

    fn at() -> Timestamp {
        "2026-11-26T23:00:00Z".parse().expect("a time")
    }

    fn server() -> Server {
        let mut server = any_server();
        server.nic.addresses = ["203.0.113.7", "2001:db8::7"]
            .map(|address| address.parse().expect("an address"))
            .into();
        server
    }

    #[test]
    fn ready_reads_so() {
        insta::assert_snapshot!(preview(|reader| ready(
            &stationery(),
            reader,
            &server(),
            at()
        )));
    }

    #[test]
    fn create_failed_reads_so() {
        let failed = Server {
            failure: Some(CreateFailure {
                code: ServerProblemCode::DiskFailed,
                detail: "for operators".to_owned(),
            }),
            ..server()
        };
        let text = preview(|reader| create_failed(&stationery(), reader, &failed, at()));
        assert!(!text.contains("for operators"), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn lost_reads_so() {
        let text = preview(|reader| lost(&stationery(), reader, &server(), at()));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn deleted_reads_so() {
        let used = Server {
            seen_up: true,
            ..server()
        };
        let asked = (Why::Asked, 7);
        let text = preview(|reader| deleted(&stationery(), reader, &used, at(), asked));
        insta::assert_snapshot!(text);
        let never_ran = preview(|reader| deleted(&stationery(), reader, &server(), at(), asked));
        assert!(!never_ran.contains("Its disk"), "{never_ran}");
        let unpaid = (Why::Unpaid, 7);
        let unpaid = preview(|reader| deleted(&stationery(), reader, &used, at(), unpaid));
        insta::assert_snapshot!(unpaid);
    }
}
