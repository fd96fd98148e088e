# What the portal says, in Korean. All languages have the same keys; tests compare them.

## Navigation and frame

nav-skip = 본문으로 건너뛰기
nav-main = 주 메뉴
nav-menu = 메뉴
nav-crumbs = 현재 위치
nav-servers = 서버 목록
nav-server = 서버
nav-keys = SSH 키
nav-orders = 주문 조회
nav-account = 회원정보관리
nav-account-menu = 계정 메뉴
sign-in = 로그인
sign-up = 회원가입
sign-out = 로그아웃
footer-languages = 언어
footer-help = 도움이 필요하신가요?
company-name = 상호
company-representative = 대표
company-registration = 사업자등록번호
company-mail-order = 통신판매업 신고번호
company-address = 주소
company-telephone = 전화
terms-title = 이용약관
terms-version = { $amount } 판
privacy-title = 개인정보처리방침
text-foreign = 이 문서는 한국어로 제공되지 않습니다.
live-stale = { $time } 이후의 내용이 반영되지 않았습니다. 서비스가 응답하면 다시 갱신됩니다.
live-ended = 로그아웃되었습니다. 화면의 내용은 { $time } 기준입니다.
live-refresh = 새로고침

## Landing page

landing-title = 시간 단위로 쓰는 서버
landing-heading = 주문하면 바로 만들어지는 나만의 서버
landing-lead = 요금제를 고르고 SSH 키를 등록한 뒤 바로 접속하세요. 이용한 시간만큼 청구되며 월 최대 요금을 넘지 않습니다.
landing-see-plans = 요금제와 가격 보기
landing-plans = 요금제와 가격
landing-sites = 데이터센터
landing-images = 운영체제
landing-keys = 내 키로만 접속
landing-keys-text = 서버에는 비밀번호 없이 SSH 키로만 접속하며, 다른 서버가 내 주소를 사칭할 수 없습니다.
spec-cpu = vCPU { $amount }개
spec-memory = 메모리 { $amount }
spec-disk = 디스크 { $amount }
spec-ipv4 = IPv4 주소 { $count }개
spec-ipv6 = IPv6 주소 { $count }개
order-this = 주문하기
plan-sold-out = 품절
plan-not-now = 지금은 이용할 수 없음
plan-sold-out-at = { $sites } 품절
plan-not-now-at = { $sites } 지금은 이용할 수 없음

## Prices

money-krw = { $amount }원
money-twd = NT${ $amount }
money-usd = US${ $amount }
money-eur = €{ $amount }
price-hour = 시간당 { $amount }
price-month = 월 최대 { $amount }
price-before-tax = 부가세 별도
price-with = { $amount } 포함
price-plus = { $amount } 별도
prices-before-tax = 표시된 금액은 세금 별도입니다.
prices-with = 표시된 금액은 { $amount }를 포함한 금액입니다.
prices-plus = 표시된 금액은 { $amount } 별도입니다.
bill-hour = 시간당
bill-month = 월 최대
bill-net = 요금
bill-gross = 합계
bill-minimum = 최소 요금
bill-minimum-hint = 서버를 1시간 미만 이용하셔도 1시간 요금이 청구됩니다.

## Times

time-now = 방금 전
time-seconds = { $count }초 전
time-minutes = { $count }분 전
time-hours = { $count }시간 전
time-days = { $count }일 전

## Forms

form-problem = 입력 내용을 확인해 주세요
form-refused = 처리할 수 없습니다
form-kept = 다시 로그인되었습니다. 입력하신 내용은 그대로 있으며 아직 전송되지 않았습니다. 확인한 뒤 전송해 주세요.
form-stale = 로그인 또는 로그아웃하기 전에 연 화면입니다. 처리된 내용은 없습니다. 비밀번호를 제외한 입력 내용은 그대로 있으니 한 번 더 전송해 주세요.
form-no-cookie = 브라우저가 이 사이트에 쿠키를 보내지 않아 처리된 내용이 없습니다. 이 사이트의 쿠키를 허용한 뒤 한 번 더 전송해 주세요.
form-error = { "오류: " }
form-required = (필수)
form-optional = (선택)
form-sending = 보내는 중…
form-sending-still = 아직 보내는 중입니다…

## Sign-up

sign-up-lead = 개인 회원으로 가입합니다. 바로 확인할 수 있는 이메일 주소가 필요합니다.
sign-up-to-order = 회원가입 후 { $amount } 주문을 이어서 진행할 수 있습니다. 선택하신 내용은 유지됩니다.
sign-up-id = 아이디
sign-up-id-hint = 영문을 포함한 영문·숫자 5~12자로 입력해 주세요.
sign-up-name = 이름
sign-up-name-hint = 청구서에 표시될 이름입니다.
sign-up-email = 이메일
sign-up-email-hint = 이 주소로 인증 메일을 보내 드립니다.
sign-up-password = 비밀번호
sign-up-password-hint = { $count }자 이상 입력해 주세요. 아이디, 이름, 이메일이 들어간 비밀번호는 사용할 수 없습니다.
sign-up-terms = 회원약관
sign-up-accept = 온라인 회원약관에 동의합니다.
sign-up-do = 가입 신청하기
sign-up-have-account = 이미 회원이신가요?
done-title = 메일을 확인해 주세요
done-sent-to = 가입 확인을 위한 인증 메일을 다음 주소로 보냈습니다: { $email }
done-sent = 방금 가입 신청을 하셨다면 입력하신 이메일 주소로 링크가 발송됩니다.
done-then = 메일의 링크를 열고 버튼을 누르면 가입이 완료되어 로그인할 수 있습니다.
done-spam = 스팸으로 분류되지 않았는지 먼저 확인해 주세요. 도착까지 1분 정도 걸릴 수 있습니다.
resend-title = 인증 메일을 받지 못하셨나요?
resend-lead = 인증을 기다리는 계정이 있으면 메일을 다시 보내 드립니다. 이전 링크는 사용할 수 없게 됩니다.
resend-login = 아이디 또는 이메일
resend-login-hint = 가입할 때 입력한 아이디 또는 이메일입니다.
resend-login-required = 아이디 또는 이메일을 입력해 주세요.
resend-do = 인증 메일 다시 보내기
confirm-title = 이메일 인증
confirm-text = 버튼을 누르면 회원가입이 완료됩니다.
confirm-do = 회원가입 완료하기
confirm-expired = 이미 사용했거나 새 링크로 바뀌었거나 기한이 지난 링크입니다. 아직 로그인할 수 없다면 메일을 다시 받아 주세요. 가입한 지 하루가 지났다면 다시 가입해 주세요.

## Sign-in

sign-in-login = 아이디 또는 이메일
sign-in-login-required = 아이디 또는 이메일을 입력해 주세요.
sign-in-password = 비밀번호
sign-in-password-required = 비밀번호를 입력해 주세요.
sign-in-remember = 아이디 저장
sign-in-kept = 로그인 시간이 만료되었습니다. 다시 로그인해 주세요. 입력하신 내용은 보관되어 있으며, 로그인한 뒤 전송할 수 있습니다.
sign-in-to-order = { $amount } 주문을 계속하려면 로그인하거나 먼저 회원가입해 주세요. 선택하신 내용은 유지됩니다.
sign-in-locked-help = 비밀번호를 재설정하면 바로 로그인할 수 있습니다:

## Ways back in

find-id = 아이디 찾기
find-id-lead = 가입할 때 입력한 이메일 주소를 입력해 주세요. 그 주소로 가입한 아이디를 메일로 알려 드립니다.
find-id-done = 이 이메일 주소로 가입한 아이디가 있으면 안내 메일이 발송됩니다.
find-password = 비밀번호 찾기
find-password-lead = 가입할 때 입력한 아이디와 이메일 주소를 입력해 주세요. 비밀번호를 재설정할 수 있는 링크를 메일로 보내 드립니다.
find-password-done = 아이디와 이메일 주소가 일치하면 비밀번호 재설정 링크가 발송됩니다. 링크는 30분 동안 한 번만 사용할 수 있습니다.
find-password-pending = 30분 안에 이미 요청하셨다면 먼저 받은 메일의 링크를 이용해 주세요. 그 링크가 유효한 동안에는 새 링크를 보내지 않습니다.
find-login = 아이디
find-login-required = 아이디를 입력해 주세요.
find-email = 이메일
find-email-hint = 가입할 때 인증한 이메일 주소입니다.
find-email-required = 이메일을 입력해 주세요.
find-ok = 확인
find-again = 다시 요청하기
reset-password = 비밀번호 재설정
reset-password-lead = 비밀번호를 재설정하면 모든 기기에서 로그아웃됩니다. 새 비밀번호로 다시 로그인해 주세요.
reset-password-expired = 이미 사용했거나 새 링크로 바뀌었거나 기한이 지난 링크입니다. 비밀번호 찾기에서 다시 요청해 주세요.
new-password = 새 비밀번호
new-password-hint = { $count }자 이상 입력해 주세요. 아이디, 이름, 이메일이 들어간 비밀번호는 사용할 수 없습니다.
new-password-required = 새 비밀번호를 입력해 주세요.
new-password-too-short = 새 비밀번호는 { $count }자 이상 입력해 주세요.
password-do = 비밀번호 저장

## Notices

notice-email-confirmed = 이메일 인증이 완료되었습니다. 이제 로그인할 수 있습니다.
notice-signed-out = 로그아웃되었습니다.
notice-session-ended = 로그인 시간이 끝났습니다. 다시 로그인해 주세요.
notice-mail-sent = 인증을 기다리는 계정이 있으면 새 메일이 발송됩니다.
notice-password-reset = 비밀번호가 변경되었습니다. 새 비밀번호로 로그인해 주세요.
notice-password-changed = 비밀번호가 변경되었습니다. 다른 모든 기기에서는 로그아웃되었습니다.
notice-key-added = SSH 키를 추가했습니다.
notice-key-renamed = SSH 키 이름을 변경했습니다.
notice-key-deleted = 계정에서 SSH 키를 삭제했습니다.
notice-order-placed = 주문이 완료되었습니다. 서버를 만드는 과정이 이 페이지에 표시됩니다.
notice-action-accepted = 요청을 접수했습니다. 처리 결과는 아래 상태에 표시됩니다.
notice-server-deleting = 서버를 삭제하고 있습니다. 더 이상 요금이 청구되지 않습니다.
notice-server-removed = 서버를 목록에서 지웠습니다.

## Lists

list-search = 검색
list-state = 상태
list-sort = 정렬
sort-newest = 최신순
sort-oldest = 오래된순
sort-name = 이름 오름차순
sort-name-down = 이름 내림차순
sort-state = 문제 있는 서버 먼저
sort-state-down = 문제 있는 서버 나중에
sort-price = 낮은 가격순
sort-price-down = 높은 가격순
list-all = 전체
list-apply = 조회
list-none = 조건에 맞는 항목이 없습니다.
list-clear = 전체 서버 보기
list-pages = 페이지
list-first = 처음으로
list-next = 다음
first-title = 환영합니다. 세 단계로 첫 서버를 만들어 보세요
first-lead = 2분 정도 걸립니다.
first-account = 회원가입
first-account-text = 이메일 인증이 완료되었습니다.
first-key = SSH 키
first-key-text = 서버에는 비밀번호 대신 키로 접속합니다. 공개 키를 등록해 주세요.
first-server = 첫 서버
first-server-text = 요금제와 운영체제를 고르세요. 주문 전에 금액을 확인할 수 있습니다.
first-done = 완료
order-server = 서버 주문
order-again = 다시 주문

## Server

server-name = 이름
server-addresses = IP 주소
server-no-address = 아직 없습니다.
server-image = 운영체제
server-plan = 요금제
server-site = 데이터센터
server-price = 요금
server-created = 주문 시각
server-order = 주문 보기
server-charged-since = 과금 시작
server-charged-until = 과금 종료
server-kept-until = 디스크 보관 기한
server-kept-help = 그 전에는 고객지원에 문의할 수 있습니다.
server-failed-at = 실패 시각
server-not-charged = 아직 과금되지 않음
server-observed = 마지막 확인
server-restored = 당사 장애 복구
server-details = 상세 정보
server-keys = SSH 키
server-keys-hint = 서버를 만들 때 등록한 키입니다. 이후 서버 안에서 바꾼 내용은 여기에 표시되지 않습니다.
server-key-removed = 계정에서 삭제된 키
server-connect = 접속
server-connect-text = 내 컴퓨터에서 다음 명령으로 접속하세요.
server-connect-unknown = 지금 응답하는지는 알 수 없습니다. 마지막으로 확인된 접속 명령입니다.
server-connect-not-now = 서버가 실행 중일 때 접속할 수 있습니다.
server-progress = 서버를 만들고 있습니다
server-still-charged = 정지 중에도 요금이 청구됩니다.
copy = 복사
copied = 복사됨
copy-refused = 복사되지 않았습니다. 선택된 내용을 Ctrl+C로 복사해 주세요
state-requested = 접수됨
state-creating = 생성 중
state-create-failed = 생성 실패
state-running = 실행 중
state-starting = 시작 중
state-stopping = 정지 중
state-rebooting = 재시작 중
state-paused = 일시 정지
state-stopped = 정지
state-unknown = 확인 불가
state-deleting = 삭제 중
state-deleted = 삭제됨
state-help-requested = 주문이 접수되었습니다. 곧 생성을 시작합니다.
state-help-creating = 각 단계가 이 페이지에 표시됩니다. 페이지를 떠나도 작업은 계속됩니다.
state-help-create-failed = 서버를 만들지 못했습니다. 남아 있는 데이터와 청구되는 요금은 없습니다.
failed-help = 다시 실패하면 이 ID를 적어 문의해 주세요.
state-help-running = 서버가 실행 중입니다.
state-help-starting = 서버를 시작하고 있습니다.
state-help-stopping = 정지를 요청했으며 아직 실행 중입니다.
state-help-rebooting = 서버에 재시작을 요청했으며, 아직 다시 실행되지 않았습니다.
state-help-not-answering = 호스트가 서버의 상태를 확인할 수 없어 현재 상태를 알 수 없습니다.
state-help-paused = 서버가 일시 정지되었습니다. 메모리 내용은 그대로 유지됩니다.
state-help-stopped = 서버가 정지되었습니다. 디스크와 IP 주소는 유지됩니다.
state-help-unknown = 서버가 있는 호스트에 연결할 수 없어 실행 여부를 알 수 없습니다. 서버는 정상 동작 중일 수 있으며, 그동안에도 요금은 그대로 청구됩니다. 호스트가 응답하면 상태가 바로 바뀝니다. 서버를 사용할 수 없다면 고객지원에 문의해 주세요.
state-help-deleting = 서버를 삭제하고 있습니다. 더 이상 요금이 청구되지 않습니다.
state-help-deleted = 삭제된 서버입니다. 더 이상 요금이 청구되지 않습니다.
pause-by-hand = 운영 담당자가 서버를 일시 정지했습니다. 데이터는 그대로입니다. 시작을 누르면 이어서 실행됩니다. 이 시간은 요금 보상 대상으로 기록됩니다.
pause-disk-full = 호스트의 디스크가 가득 차서 데이터 손실을 막기 위해 서버를 일시 정지했습니다. 공간이 확보되면 자동으로 다시 실행되며 담당자에게 알렸습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
pause-disk-error = 서버의 디스크를 읽거나 쓸 수 없어 일시 정지했습니다. 자동으로 다시 시도하고 있으며 담당자에게 알렸습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
pause-guest-crashed = 서버의 운영체제가 비정상 종료되었습니다. 시작을 누르면 다시 부팅하며 저장하지 않은 데이터는 잃게 됩니다.
pause-host-busy = 호스트가 잠시 서버를 처리하고 있습니다. 곧 자동으로 이어집니다.
pause-asleep = 운영체제가 절전 상태로 들어갔습니다. 시작을 누르면 깨어납니다.
pause-unknown = 서버가 일시 정지되었으나 이유를 알 수 없습니다. 시작을 누르면 이어서 실행됩니다.
step-queued = 대기
step-image = 운영체제 준비
step-disk = 디스크 생성
step-network = 네트워크 설정
step-start = 서버 시작
step-done-queued = 호스트 배정됨
step-done-image = 운영체제 준비됨
step-done-disk = 디스크 생성됨
step-done-network = 네트워크 설정됨
step-done-start = 서버 시작됨
trouble-image-unavailable = 운영체제 이미지를 가져올 수 없습니다.
trouble-disk-failed = 디스크를 만들 수 없습니다.
trouble-network-failed = 네트워크를 설정할 수 없습니다. 보호 설정 없이는 서버를 시작하지 않습니다.
trouble-start-failed = 서버를 시작할 수 없습니다.
trouble-shutdown-ignored = 운영체제가 정지 요청에 응답하지 않았습니다. 서버 안에서 시스템을 종료하거나 강제 정지하세요. 강제 정지하면 저장하지 않은 데이터를 잃을 수 있습니다.
trouble-deadline-missed = 예상보다 오래 걸리고 있습니다. 담당자에게 알렸습니다.
trouble-feature-missing = 호스트 업데이트가 필요합니다. 담당자에게 알렸습니다.
trouble-delete-failed = 서버 삭제를 다시 시도하고 있습니다. 요금은 청구되지 않습니다.
trouble-not-answering = 이 서버를 실행하는 장비가 서버의 응답을 받지 못하고 있습니다. 담당자에게 알렸습니다. 강제 정지한 뒤 시작하면 해결될 때가 많습니다.
trouble-not-reachable = 서버는 실행 중이지만 운영체제가 일부 IP 주소로 응답하지 않습니다. 네트워크 설정과 방화벽을 확인하거나 재시작해 보세요. 이 동안에도 요금은 청구됩니다.
trouble-not-reachable-yet = 서버를 시작했지만 아직 네트워크에서 응답이 없습니다. 주문 후 30분 안에 응답하지 않으면 주문은 실패 처리되고 요금은 청구되지 않습니다.
trouble-reboot-failed = 운영체제가 재시작 요청에 응답하지 않았습니다. 강제 정지한 뒤 다시 시작하세요. 저장하지 않은 데이터를 잃을 수 있습니다.
trouble-outage = 당사 장애로 지금 서버에 연결할 수 없습니다. 담당자에게 알렸습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
outage-host-network = 당사 장애로 서버에 연결할 수 없습니다. 서버를 실행하는 장비의 네트워크 설정이 올바르지 않습니다. 담당자에게 알렸습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
outage-foreign-rules = 당사 장애로 서버에 연결할 수 없습니다. 서버를 실행하는 장비의 방화벽이 서버의 패킷을 차단하고 있습니다. 담당자에게 알렸습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
outage-uplink = 당사 장애로 서버에 연결할 수 없습니다. 서버를 실행하는 장비의 네트워크 연결이 끊어졌습니다. 담당자에게 알렸습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
outage-host-disk = 당사 장애로 서버가 실행되지 않습니다. 서버를 실행하는 장비의 디스크가 가득 찼거나 고장 났습니다. 담당자에게 알렸습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
outage-paused-at-host = 담당자가 서버를 일시 정지했습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
outage-hung = 당사 장애로 서버가 응답하지 않습니다. 서버를 실행하는 프로그램이 멈췄습니다. 담당자에게 알렸습니다. 이 시간은 요금 보상 대상으로 기록됩니다.
failure-image-unavailable = 운영체제 이미지를 가져오지 못했습니다.
failure-disk-failed = 디스크를 만들지 못했습니다.
failure-network-failed = 네트워크를 설정하지 못했습니다.
failure-start-failed = 서버를 시작하지 못했습니다.
failure-deadline-missed = 허용된 시간을 넘겼습니다.
failure-feature-missing = 호스트를 먼저 업데이트해야 합니다.
failure-not-reachable = 서버를 시작했지만 30분 안에 네트워크로 연결되지 않았습니다. 같은 일이 반복되면 다른 운영체제를 선택하거나 고객지원에 문의해 주세요.
failure-other = 당사 쪽에서 문제가 발생했습니다.
trouble-retrying = 자동으로 다시 시도하고 있으며 따로 하실 일은 없습니다.
action-start = 시작
action-shutdown = 정지
action-power-off = 강제 정지
action-reboot = 재시작
action-delete = 서버 삭제
ask-back = 서버로 돌아가기
ask-start = { $name } 서버를 시작할까요?
ask-start-text = 서버가 디스크에서 부팅됩니다.
ask-shutdown = { $name } 서버를 정지할까요?
ask-shutdown-text = 운영체제에 종료를 요청합니다. 접속 중인 사용자의 연결이 끊어집니다. 디스크와 IP 주소는 유지되며 요금은 계속 청구됩니다.
ask-power-off = { $name } 서버를 강제로 정지할까요?
ask-power-off-text = 전원 플러그를 뽑은 것처럼 서버가 바로 멈춥니다. 아직 디스크에 저장되지 않은 내용은 사라지고 파일이 손상될 수 있습니다. 디스크와 IP 주소는 유지되며 요금은 계속 청구됩니다. 운영체제가 응답한다면 강제로 정지하지 말고 정지해 주세요.
ask-reboot = { $name } 서버를 재시작할까요?
ask-reboot-text = 운영체제에 재시작을 요청합니다. 다시 켜질 때까지 접속 중인 사용자의 연결이 끊어집니다.
ask-delete = { $name } 서버를 삭제할까요?
delete-title = 서버 삭제
delete-lost = 서버와 IP 주소, 데이터를 바로 사용할 수 없게 되며 과금이 끝납니다.
delete-kept = 디스크는 { $count }일 동안 보관된 뒤 파기됩니다. 그 전에는 고객지원에 문의할 수 있습니다.
delete-type = 확인을 위해 서버 이름을 입력해 주세요.
delete-failed = 목록에서 지우기

## SSH keys

keys-lead = 새 서버에는 선택한 키의 개인 키를 가진 사람만 접속할 수 있습니다.
keys-none = 등록된 SSH 키가 없습니다.
keys-none-text = 아래에서 공개 키를 등록해 주세요. 서버를 주문하려면 키가 필요합니다.
keys-added = 등록
key-type = 종류
key-bits = { $count }비트
key-fingerprint = 지문
key-added = 등록 일시
key-rename = 새 이름
key-rename-title = 키 이름 변경
key-rename-do = 이름 변경
key-add = SSH 키 추가
key-public = 공개 키
key-public-hint = ssh-ed25519, ecdsa-…, sk-…, ssh-rsa 등으로 시작하는 한 줄입니다. 개인 키는 절대 붙여 넣지 마세요.
key-name = 키 이름
key-name-hint = 예: 키가 있는 컴퓨터 이름. 비워 두면 키의 설명을 사용합니다.
key-delete = 삭제
key-delete-text = 계정에서 다음 키를 삭제합니다: { $name }. 이미 키가 들어 있는 서버에서는 직접 지워야 합니다.
key-delete-do = 키 삭제
key-help-title = 키는 어떻게 만드나요?
key-help-terminal = 터미널을 엽니다. 키가 없으면 새로 만드세요. Enter를 누르면 기본값이 사용됩니다.
key-help-powershell = PowerShell을 엽니다. 키가 없으면 새로 만드세요. Enter를 누르면 기본값이 사용됩니다.
key-help-paste = 출력된 한 줄을 복사하여 여기에 붙여 넣으세요.
key-help-puttygen = PuTTYgen을 열고 EdDSA를 선택한 뒤 Generate를 누릅니다.
key-help-puttygen-save = 암호(passphrase)를 설정한 뒤 개인 키를 안전한 곳에 저장합니다.
key-help-puttygen-copy = “Public key for pasting into OpenSSH authorized_keys file” 아래의 글을 복사하여 여기에 붙여 넣으세요.
key-help-phone = Termius 같은 SSH 앱에서 키를 만들고 공개 키를 복사합니다.

## Ordering

order-site = 데이터센터
order-image = 운영체제
order-image-disk = 디스크 { $amount } 이상
order-plan = 요금제
order-name = 서버 이름
order-name-hint = 영문 소문자, 숫자, 하이픈(예: web-1). 호스트 이름으로 사용됩니다.
order-keys = SSH 키
order-keys-hint = 선택한 키를 가진 사람만 접속할 수 있습니다. 비밀번호 접속은 없습니다.
order-keys-none = 등록된 SSH 키가 없습니다. 여기에 붙여 넣으면 계정에 저장됩니다.
order-keys-another = 다른 키 추가
order-price = 요금
order-price-hint = 추정 요금으로, 이용 시간에 따라 실 사용 요금과 다를 수 있습니다.
order-price-noscript = 선택한 항목의 금액은 다음 페이지에 표시됩니다.
order-continue = 다음
confirm-order = 주문 확인
confirm-order-do = 이 금액으로 주문하기
confirm-order-change = 수정
confirm-order-again = 금액 다시 확인하기
confirm-order-until = 이 금액은 { $amount }까지 유효합니다.
caution-title = 주의 사항
caution-charge = 서버가 준비된 때부터 삭제할 때까지 시간당 요금이 초 단위로 계산되어 청구되며, 최소 1시간 요금이 적용됩니다.
caution-stopped = 정지 중에도 요금이 청구됩니다.
caution-failed = 서버를 만들지 못하면 요금이 청구되지 않습니다.
caution-estimate = 청구 금액은 이용 시간에 따라 달라집니다. 요금과 세금은 위에 표시된 대로 적용됩니다.
caution-accept = 주의 사항을 확인하였으며 주문에 동의합니다.

## Orders

orders-none = 주문 내역이 없습니다.
orders-none-text = 주문한 내역과 금액이 여기에 표시됩니다.
orders-placed = 주문 시각
order-title = 주문: { $name }
order-number = 주문 번호
order-contract = 계약 번호
order-state-provisioning = 처리 중
order-state-completed = 완료
order-state-failed = 실패
order-state-cancelled = 취소
order-failed-free = 요금은 청구되지 않았습니다.

## Account

account-tabs = 회원정보관리 메뉴
account-profile = 회원정보
change-password = 비밀번호 변경
change-password-lead = 이 기기에서는 로그인이 유지되고, 다른 모든 기기에서는 로그아웃됩니다.
current-password = 현재 비밀번호
current-password-required = 현재 비밀번호를 입력해 주세요.
current-password-wrong = 현재 비밀번호가 올바르지 않습니다.
account-language = 메일 언어
account-since = 가입일
account-quota = 동시에 사용할 수 있는 서버 수
account-change = 정보 변경은 다음 주소로 문의해 주세요:

## Failures

failure-not-found = 페이지를 찾을 수 없습니다
failure-forbidden = 허용되지 않는 요청입니다
failure-not-sent = 요청이 처리되지 않았습니다
failure-conflict = 지금은 처리할 수 없습니다
failure-too-many = 잠시 기다려 주세요
failure-down = 서비스에 연결할 수 없습니다
failure-internal = 처리 중 문제가 발생했습니다
failure-bad-request = 요청을 처리할 수 없습니다
failure-forgery = 화면을 연 지 오래되었거나 이 사이트에서 연 화면이 아닙니다. 처리된 내용은 없습니다. 페이지를 새로 고친 뒤 다시 전송해 주세요.
failure-forgery-home = 사이트 주소:
failure-kept = 입력한 내용은 그대로 있습니다. 다시 보낼 수 있습니다.
failure-retry = 다시 시도
failure-home = 메인으로 가기
failure-request = 문의하실 때 다음 요청 번호를 알려 주세요:
problem-bad-request = 요청을 읽을 수 없습니다. 이전 페이지에서 다시 시도해 주세요.
problem-idempotency-key-missing = 요청이 완전하지 않습니다. 페이지를 새로 고친 뒤 다시 보내 주세요.
problem-unauthenticated = 먼저 로그인해 주세요.
problem-bad-credentials = 아이디 또는 비밀번호가 올바르지 않습니다. 5번 잘못 입력하면 30분 동안 로그인할 수 없습니다.
problem-email-unconfirmed = 이메일 인증이 완료되지 않았습니다. 받은 인증 메일의 링크를 열어 주세요.
problem-quota-exceeded = 계정 한도에 도달했습니다. 사용하지 않는 항목을 삭제하거나 고객지원에 한도 증설을 문의해 주세요.
problem-not-found = 없는 페이지이거나 볼 수 있는 권한이 없습니다.
problem-method-not-allowed = 이 페이지에서는 사용할 수 없는 요청입니다.
problem-capacity-unavailable = 현재 이 서버를 만들 수 있는 자원이 부족합니다. 예약되거나 청구된 것은 없습니다. 더 작은 요금제나 다른 데이터센터를 선택하거나 나중에 다시 시도해 주세요.
problem-capacity-unreachable = 이 서버를 만들 수 있는 장비에 지금 연결할 수 없습니다. 예약되거나 청구된 것은 없습니다. 몇 분 뒤에 다시 시도해 주세요. 다른 요금제나 데이터센터는 지금도 가능할 수 있습니다.
problem-idempotency-conflict = 같은 주문을 처리하고 있습니다. 잠시 후 다시 시도해 주세요. 중복 주문되지 않습니다.
problem-invalid-state = 현재 상태에서는 할 수 없는 작업입니다. 페이지에 현재 상태가 표시됩니다.
problem-price-changed = 조회한 뒤 금액이 변경되었습니다. 주문되지 않았습니다.
problem-quote-expired = 금액의 유효 시간이 지났습니다. 주문되지 않았습니다.
problem-link-expired = 더 이상 사용할 수 없는 링크입니다.
problem-too-large = 입력한 내용이 너무 큽니다.
problem-unsupported-media-type = 읽을 수 없는 형식의 요청입니다.
problem-idempotency-mismatch = 이미 다른 주문에 사용한 페이지입니다. 새로 고친 뒤 다시 시도해 주세요.
problem-validation-failed = 확인이 필요한 항목이 있습니다.
problem-account-locked = 비밀번호를 여러 번 잘못 입력하여 계정이 잠겼습니다. { $count }분 후 다시 로그인할 수 있습니다.
problem-rate-limited = 요청이 너무 많습니다. { $count }초 후 다시 시도해 주세요.
problem-rate-limited-minutes = 요청이 너무 많습니다. { $count }분 후 다시 시도해 주세요.
problem-order-limit = 짧은 시간에 서버를 너무 많이 주문했거나 주문 후 삭제했습니다. 주문되지 않았습니다. { $count }분 후 다시 시도하거나 고객지원에 한도 증설을 문의해 주세요.
problem-starting = 서비스가 방금 다시 시작되어 장비의 응답을 기다리고 있습니다. 주문되지 않았습니다. { $count }초 후 다시 시도해 주세요. 서버는 계속 실행됩니다.
problem-starting-minutes = 서비스가 방금 다시 시작되어 장비의 응답을 기다리고 있습니다. 주문되지 않았습니다. { $count }분 후 다시 시도해 주세요. 서버는 계속 실행됩니다.
problem-internal = 시스템 문제이며 기록되었습니다. 잠시 후 다시 시도해 주세요.
problem-unavailable = 지금은 서비스가 응답하지 않습니다. 서버는 계속 실행됩니다. 잠시 후 다시 시도해 주세요.
problem-storage-full = 지금은 저장할 수 없으며 조회만 가능합니다. 담당자가 확인하고 있습니다.

## Field errors

field-required = 필수 입력 항목입니다.
field-malformed = 형식이 올바르지 않습니다.
field-too-long = 너무 깁니다.
field-longer-than = { $count }자 이내로 입력해 주세요.
field-wrong = 올바르지 않습니다.
field-taken = 이미 사용 중입니다.
field-too-short = 너무 짧습니다.
field-weak = 추측하기 쉬운 비밀번호입니다. 더 길거나 흔하지 않은 것을 사용해 주세요.
field-contains-personal-data = 아이디, 이름, 이메일이 포함된 비밀번호는 사용할 수 없습니다.
field-outdated = 페이지를 연 뒤 내용이 변경되었습니다. 다시 읽어 주세요.
field-unknown = 없는 항목입니다. 목록에서 선택해 주세요.
field-reserved = 사용할 수 없는 아이디입니다. 다른 아이디를 입력해 주세요.
field-private-key = 개인 키를 붙여 넣으셨습니다. 개인 키는 누구에게도 알려서는 안 됩니다. 새 키를 만든 뒤 .pub 파일의 내용이나 PuTTYgen 위쪽 상자에 있는 공개 키를 붙여 넣어 주세요.
field-unsafe-key = 더 이상 안전하지 않은 종류의 키입니다. ssh-keygen -t ed25519로 새 키를 만들어 주세요.
field-several-keys = 키가 여러 개 있습니다. 한 번에 하나씩 추가해 주세요.
field-key-options = 키 앞에 있는 내용을 지워 주세요. ssh-ed25519, ecdsa-…, sk-…, ssh-rsa 등으로 시작해야 합니다.
field-certificate = 인증서를 붙여 넣으셨습니다. 이름에 -cert가 없는 .pub 파일의 공개 키를 붙여 넣어 주세요.
field-duplicate = 이미 등록되어 있습니다.
field-too-many = 허용된 개수를 넘었습니다.
field-disk-too-small = 요금제의 디스크가 운영체제보다 작습니다. 더 큰 요금제를 선택해 주세요.
field-sold-out = 이 데이터센터에서는 이 요금제가 품절되었습니다. 다른 요금제나 데이터센터를 선택해 주세요.
field-invisible-characters = 보이지 않는 문자가 들어 있습니다. 붙여 넣지 말고 직접 입력해 주세요.
field-link = 웹 주소를 넣을 수 없습니다.
sign-up-id-required = 아이디를 입력해 주세요.
sign-up-id-malformed = 아이디는 영문을 포함한 영문·숫자 5~12자로 입력해 주세요.
sign-up-id-too-short = { sign-up-id-malformed }
sign-up-id-too-long = { sign-up-id-malformed }
sign-up-id-taken = 이미 사용 중인 아이디입니다.
sign-up-email-required = 이메일을 입력해 주세요.
sign-up-email-malformed = name@example.com 형식의 이메일을 입력해 주세요.
field-bad-domain = @ 뒤의 도메인으로는 메일을 보낼 수 없습니다. 끝에 마침표가 있거나 모양만 비슷한 글자가 섞여 있지 않은지 확인해 주세요.
sign-up-email-too-many = 이 이메일로 가입할 수 있는 계정 수를 넘었습니다. 다른 이메일을 사용하거나 로그인해 주세요.
sign-up-password-required = 비밀번호를 입력해 주세요.
sign-up-password-too-short = { $count }자 이상 입력해 주세요.
sign-up-accept-required = 회원약관에 동의해 주세요.
caution-accept-required = 주의 사항을 확인하고 체크해 주세요.
key-public-required = 공개 키를 붙여 넣어 주세요.
key-public-malformed = OpenSSH 공개 키가 아닙니다. ssh-ed25519 AAAA… 이름 형식의 한 줄이어야 합니다.
key-public-too-short = RSA 키가 너무 짧습니다. 3072비트 이상이어야 합니다. ssh-keygen -t ed25519로 새 키를 만들어 주세요.
key-public-too-many = 등록된 키가 차지하는 공간이 너무 큽니다. 키를 하나 삭제하거나 짧은 Ed25519 키를 사용해 주세요.
order-keys-required = SSH 키를 하나 이상 선택하거나 붙여 넣어 주세요.
field-proposal = { $value }은(는) 사용할 수 있습니다.
order-name-required = 서버 이름을 입력해 주세요.
order-name-malformed = 영문 소문자, 숫자, 하이픈을 63자 이내로 입력해 주세요. 영문이 하나 이상 있어야 하며 처음과 끝은 영문이나 숫자여야 합니다.
order-name-too-long = { order-name-malformed }
order-name-reserved = 컴퓨터가 다른 뜻으로 쓰는 이름입니다. 다른 이름을 입력해 주세요.
order-name-taken = 같은 이름의 서버가 이미 있습니다. 다른 이름을 입력해 주세요.
delete-type-unknown = 서버 이름과 다릅니다. 삭제되지 않았습니다.
