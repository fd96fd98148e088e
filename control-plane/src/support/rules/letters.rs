//! What mails about technical-support jobs say.

use innkeeper_wire::{
    id::JobId,
    job::{JobEventKind, JobOutcome, JobState},
};

use super::job::Job;
use crate::mails::rules::{Letter, Reader, Stationery};

/// A mail to a job's customer: what has happened, and what its engineer has said about it.
#[must_use]
pub fn to_customer(
    sheet: &Stationery,
    reader: &Reader,
    job: &Job,
    step: JobEventKind,
    said: Option<&str>,
) -> Option<Letter> {
    let sentence = customers_sentence(reader, job, step)?;
    let server = &job.server_name;
    let subject = reader.say(
        format!("Technical support for {server}"),
        format!("{server} 기술지원 안내"),
        format!("{server} 技術支援通知"),
    );
    let about = reader.say(
        format!("Server: {server}"),
        format!("서버: {server}"),
        format!("主機：{server}"),
    );
    let mut text = vec![sentence, about];
    text.extend(said.map(str::to_owned));
    let link = sheet.link(reader, &format!("jobs/{}", job.id), "");
    text.push(reader.say(
        format!("The job in the portal:\n{link}"),
        format!("포털에서 기술지원 보기:\n{link}"),
        format!("在入口網站查看技術支援：\n{link}"),
    ));
    Some(sheet.letter(reader, &subject, &text))
}

/// A text in English, Korean and Chinese.
type Said = (&'static str, &'static str, &'static str);

fn customers_sentence(reader: &Reader, job: &Job, step: JobEventKind) -> Option<String> {
    let (en, ko, zh) = of_its_way(job, step).or_else(|| of_its_end(job, step))?;
    Some(reader.say(en, ko, zh).to_owned())
}

/// What is said of a job on its way. Of what its customer has done himself or sees on the page, nothing.
fn of_its_way(job: &Job, step: JobEventKind) -> Option<Said> {
    Some(match step {
        JobEventKind::Submitted if job.state == JobState::HoursNotice => (
            "Your application for technical support came outside business hours. It is accepted when they begin.",
            "업무 시간 외에 기술지원이 신청되었습니다. 업무 시간이 시작되면 접수됩니다.",
            "您的技術支援申請於非營業時間送出，將於營業時間開始後受理。",
        ),
        JobEventKind::Submitted => (
            "We have received your application for technical support.",
            "기술지원 신청이 접수되었습니다.",
            "我們已收到您的技術支援申請。",
        ),
        JobEventKind::HoursBegan => (
            "Business hours have begun: your job is accepted.",
            "업무 시간이 시작되어 기술지원이 접수되었습니다.",
            "營業時間已開始，您的技術支援已受理。",
        ),
        JobEventKind::Taken => (
            "An engineer has begun to look at your job.",
            "담당 엔지니어가 확인을 시작했습니다.",
            "負責的工程師已開始處理。",
        ),
        JobEventKind::Delayed => (
            "Your job takes longer, since something has to be found out.",
            "추가 확인이 필요하여 답변이 지연되고 있습니다.",
            "因需要進一步確認，處理將會延後。",
        ),
        JobEventKind::Resumed => (
            "The engineer goes on with your job.",
            "담당 엔지니어가 처리를 다시 시작했습니다.",
            "工程師已繼續處理。",
        ),
        JobEventKind::RevisionAsked => (
            "The engineer asks you to change your application. Until then nothing more is done.",
            "담당 엔지니어가 신청서의 수정을 요청했습니다. 수정하시면 다시 진행됩니다.",
            "工程師要求您修改申請內容，修改後才會繼續處理。",
        ),
        JobEventKind::ApprovalAsked => (
            "The engineer asks you to approve of the work and its fee. Allow firewall access, look at it, and confirm it.",
            "담당 엔지니어가 작업 승인을 요청했습니다. 방화벽 접근을 허용한 뒤 내용과 비용을 확인하고 확정해 주세요.",
            "工程師請您確認作業內容與費用。請先允許防火牆存取，查看後再確認。",
        ),
        JobEventKind::Confirmed => (
            "You have confirmed the work. It can't be called off any more.",
            "기술지원이 확정되었습니다. 확정한 후에는 취소할 수 없습니다.",
            "您已確認技術支援，之後無法取消。",
        ),
        _ => return None,
    })
}

/// What is said of its end, of comments and of access.
fn of_its_end(job: &Job, step: JobEventKind) -> Option<Said> {
    Some(match step {
        JobEventKind::Cancelled => (
            "Your job was called off. Nothing is charged for it.",
            "기술지원이 취소되었습니다. 비용은 청구되지 않습니다.",
            "您的技術支援已取消，不會收費。",
        ),
        JobEventKind::Closed if job.outcome == Some(JobOutcome::Done) => (
            "Your job is done. Its fee stands on the invoice of this month. Engineers are not let in any more.",
            "기술지원이 완료되었습니다. 비용은 이번 달 청구서에 포함됩니다. 엔지니어의 접근은 종료되었습니다.",
            "您的技術支援已完成，費用將列入本月帳單。工程師已無法再存取主機。",
        ),
        JobEventKind::Closed => (
            "Your job has ended without having been done. Nothing is charged for it. Engineers are not let in any more.",
            "기술지원이 완료되지 않은 채 종료되었습니다. 비용은 청구되지 않으며, 엔지니어의 접근은 종료되었습니다.",
            "您的技術支援未完成即結束，不會收費。工程師已無法再存取主機。",
        ),
        JobEventKind::Commented => (
            "The engineer has written a comment.",
            "담당 엔지니어가 댓글을 남겼습니다.",
            "工程師留下了留言。",
        ),
        JobEventKind::AccessAsked => (
            "The engineer asks you to allow firewall access to the server.",
            "담당 엔지니어가 방화벽 접근 허용을 요청했습니다.",
            "工程師請您允許防火牆存取。",
        ),
        JobEventKind::AccessExpired if job.state == JobState::Working => (
            "The time for which you had allowed firewall access is over. The work waits until you allow it again.",
            "방화벽 접근 허용 시간이 종료되었습니다. 다시 허용하실 때까지 작업이 중단됩니다.",
            "允許防火牆存取的時間已結束，在您再次允許之前作業將暫停。",
        ),
        JobEventKind::AccessExpired => (
            "The time for which you had allowed firewall access is over.",
            "방화벽 접근 허용 시간이 종료되었습니다.",
            "允許防火牆存取的時間已結束。",
        ),
        // What is on its way is said above, and of what he has done himself, or sees on the page, nothing.
        JobEventKind::Submitted
        | JobEventKind::HoursBegan
        | JobEventKind::Taken
        | JobEventKind::Delayed
        | JobEventKind::Resumed
        | JobEventKind::RevisionAsked
        | JobEventKind::Revised
        | JobEventKind::ApprovalAsked
        | JobEventKind::ReReviewAsked
        | JobEventKind::Confirmed
        | JobEventKind::AccessAllowed
        | JobEventKind::AccessObserved
        | JobEventKind::EngineerSeen
        | JobEventKind::AccessWithdrawn => return None,
    })
}

/// A mail to an engineer: that something is to be looked at, without what customers write.
#[must_use]
pub fn to_engineer(
    sheet: &Stationery,
    reader: &Reader,
    job: JobId,
    step: JobEventKind,
    portal_url: Option<&str>,
) -> Option<Letter> {
    let what = match step {
        JobEventKind::Submitted => "a technical-support job was applied for",
        JobEventKind::Revised => "its customer has changed the application",
        JobEventKind::ReReviewAsked => "its customer asks for another look",
        JobEventKind::Confirmed => "its customer has confirmed the work: it can begin",
        JobEventKind::Cancelled => "it was called off",
        JobEventKind::Commented => "its customer has written a comment",
        JobEventKind::AccessAllowed => "its customer lets engineers in",
        JobEventKind::AccessWithdrawn => "its customer lets engineers in no more: stop working",
        JobEventKind::AccessExpired => "the time for which engineers were let in is over",
        JobEventKind::Closed => "it has ended: its server is deleted",
        JobEventKind::HoursBegan
        | JobEventKind::Taken
        | JobEventKind::Delayed
        | JobEventKind::Resumed
        | JobEventKind::RevisionAsked
        | JobEventKind::ApprovalAsked
        | JobEventKind::AccessAsked
        | JobEventKind::AccessObserved
        | JobEventKind::EngineerSeen => return None,
    };
    let subject = format!("{job}: {what}");
    let url = portal_url.map(|url| format!("{url}/jobs/{job}"));
    let text = [
        format!("{job}: {what}."),
        url.unwrap_or_else(|| "See the staff's portal.".to_owned()),
    ];
    Some(sheet.letter(reader, &subject, &text))
}

#[cfg(test)]
mod tests {
    use super::{super::job::tests::job, *};
    use crate::mails::rules::samples::{preview, readers, stationery};

    #[test]
    fn a_request_for_approval_reads_so() {
        let job = job(JobState::ApprovalRequested);
        let said = Some("Install nginx and PHP 8.2.");
        let text = preview(|reader| {
            let letter = to_customer(
                &stationery(),
                reader,
                &job,
                JobEventKind::ApprovalAsked,
                said,
            );
            letter.expect("it is told")
        });
        insta::assert_snapshot!(text);
    }

    /// What else his customer is told, in each language; nothing of what he does himself.
    #[test]
    fn customers_are_told_of_what_others_do() {
        let mut told = String::new();
        for reader in readers() {
            for step in JobEventKind::ALL {
                let said = customers_sentence(&reader, &job(JobState::Working), *step);
                let line = said.unwrap_or_else(|| "-".to_owned());
                told += &format!("{}: {line}\n", step.as_str());
            }
        }
        for state in [JobState::HoursNotice, JobState::Closed] {
            let closed = Job {
                outcome: Some(JobOutcome::Done),
                ..job(state)
            };
            for step in [JobEventKind::Submitted, JobEventKind::Closed] {
                let said = customers_sentence(&readers()[0], &closed, step);
                told += &format!("{state:?}, {}: {}\n", step.as_str(), said.expect("told"));
            }
        }
        insta::assert_snapshot!(told);
    }

    #[test]
    fn an_engineer_is_told_so() {
        let id = job(JobState::Accepted).id;
        let [english, ..] = readers();
        let url = Some("https://ops.cloud.example");
        let step = JobEventKind::AccessWithdrawn;
        let letter = to_engineer(&stationery(), &english, id, step, url).expect("it is told");
        insta::assert_snapshot!(format!("Subject: {}\n\n{}", letter.subject, letter.body));
        let own = to_engineer(&stationery(), &english, id, JobEventKind::Taken, url);
        assert!(own.is_none(), "he did it himself");
    }
}
