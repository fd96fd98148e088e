# What the portal says, in Traditional Chinese. All languages have the same keys; tests compare them.

## Navigation and frame

nav-skip = 跳到主要內容
nav-main = 主選單
nav-menu = 選單
nav-crumbs = 目前位置
nav-servers = 主機列表
nav-server = 主機
nav-keys = SSH 金鑰
nav-orders = 訂單查詢
nav-account = 帳戶資料
nav-account-menu = 帳號選單
sign-in = 登入
sign-up = 註冊
sign-out = 登出
footer-languages = 語言
footer-help = 需要協助嗎？
company-name = 公司名稱
company-representative = 代表人
company-registration = 統一編號
company-mail-order = 通信販賣業申報編號
company-address = 地址
company-telephone = 電話
terms-title = 服務條款
terms-version = { $amount } 版
privacy-title = 隱私權政策
text-foreign = 本文件沒有繁體中文版本。
live-stale = 本頁自 { $time } 起未更新，服務恢復回應後會繼續更新。
live-ended = 您已被登出。畫面內容為 { $time } 的狀態。
live-refresh = 重新整理

## Landing page

landing-title = 以小時計費的主機
landing-heading = 下單後立即建立的專屬主機
landing-lead = 選擇方案、加入 SSH 金鑰即可登入。以小時計費，每月不超過月費上限。
landing-see-plans = 查看方案與價格
landing-plans = 方案與價格
landing-sites = 資料中心
landing-images = 作業系統
landing-keys = 只有您的金鑰能登入
landing-keys-text = 主機只接受 SSH 金鑰，不使用密碼；其他主機也無法冒用您的位址。
spec-cpu = { $amount } 個 vCPU
spec-memory = 記憶體 { $amount }
spec-disk = 硬碟 { $amount }
spec-ipv4 = { $count } 個 IPv4 位址
spec-ipv6 = { $count } 個 IPv6 位址
order-this = 訂購
plan-sold-out = 已售完
plan-not-now = 目前無法訂購
plan-sold-out-at = { $sites }已售完
plan-not-now-at = { $sites }目前無法訂購

## Prices

money-krw = ₩{ $amount }
money-twd = NT${ $amount }
money-usd = US${ $amount }
money-eur = €{ $amount }
price-hour = 每小時 { $amount }
price-month = 每月上限 { $amount }
price-before-tax = 未含稅
price-with = 含{ $amount }
price-plus = 另加{ $amount }
prices-before-tax = 所示價格均未稅。
prices-with = 所示價格均含{ $amount }。
prices-plus = 所示價格均未稅，另加{ $amount }。
bill-hour = 每小時
bill-month = 每月上限
bill-net = 費用
bill-gross = 總計
bill-minimum = 最低收費
bill-minimum-hint = 使用不足一小時，仍以一小時計費。

## Times

time-now = 剛剛
time-seconds = { $count } 秒前
time-minutes = { $count } 分鐘前
time-hours = { $count } 小時前
time-days = { $count } 天前

## Forms

form-problem = 請檢查以下內容
form-refused = 無法完成操作
form-kept = 您已重新登入。先前輸入的內容仍在，尚未送出；請確認後再送出。
form-stale = 此表單是在登入或登出之前開啟的，尚未執行任何動作。除密碼外，您輸入的內容都還在，請再送出一次。
form-no-cookie = 您的瀏覽器沒有傳送本站的 Cookie，因此尚未執行任何動作。請允許本站使用 Cookie，然後再送出一次。
form-error = 錯誤：
form-required = （必填）
form-optional = （選填）
form-sending = 傳送中…
form-sending-still = 仍在傳送中…

## Sign-up

sign-up-lead = 個人註冊。您需要一個現在就能收信的電子郵件地址。
sign-up-to-order = 註冊帳號後即可繼續訂購 { $amount }，您的選擇會保留。
sign-up-id = 帳號
sign-up-id-hint = 5 到 12 個英文字母（必填）或數字。
sign-up-name = 姓名
sign-up-name-hint = 將顯示在發票與帳單上。
sign-up-email = 電子郵件
sign-up-email-hint = 我們會寄驗證信到這個信箱。
sign-up-password = 密碼
sign-up-password-hint = 至少 { $count } 個字元。請勿包含帳號、姓名或電子郵件。
sign-up-terms = 服務條款
sign-up-accept = 我已閱讀並同意服務條款。
sign-up-do = 註冊
sign-up-have-account = 已經有帳號了嗎？
done-title = 請查看您的信箱
done-sent-to = 驗證信已寄到 { $email }。
done-sent = 如果您剛剛在此註冊，驗證連結會寄到您填寫的電子郵件。
done-then = 請打開信中的連結並按下按鈕，之後即可登入。
done-spam = 請先查看垃圾郵件匣，信件可能需要一分鐘才會送達。
resend-title = 沒有收到驗證信？
resend-lead = 若有等待驗證的帳號，我們會重新寄信。先前的連結將會失效。
resend-login = 帳號或電子郵件
resend-login-hint = 註冊時填寫的帳號或電子郵件。
resend-login-required = 請輸入帳號或電子郵件。
resend-do = 重新寄送驗證信
confirm-title = 驗證電子郵件
confirm-text = 按下按鈕即可完成註冊。
confirm-do = 驗證電子郵件
confirm-expired = 此連結已使用、已被新的連結取代，或已過期。若仍無法登入，請重新寄送驗證信；註冊超過一天者，請重新註冊。

## Sign-in

sign-in-login = 帳號或電子郵件
sign-in-login-required = 請輸入帳號或電子郵件。
sign-in-password = 密碼
sign-in-password-required = 請輸入密碼。
sign-in-remember = 記住帳號
sign-in-kept = 登入已逾時，請重新登入。您輸入的內容已保留，登入後即可送出。
sign-in-to-order = 請先登入以訂購 { $amount }；還沒有帳號請先註冊。您的選擇會保留。
sign-in-locked-help = 重新設定密碼後即可立即登入：

## Ways back in

find-id = 找回帳號
find-id-lead = 請輸入註冊時使用的電子郵件地址，我們會將以此地址註冊的帳號寄給您。
find-id-done = 若有以此電子郵件地址註冊的帳號，通知信將寄至該地址。
find-password = 找回密碼
find-password-lead = 請輸入註冊時使用的帳號與電子郵件地址，我們會寄送重設密碼的連結給您。
find-password-done = 若帳號與電子郵件地址相符，重設密碼的連結將寄至該地址。連結 30 分鐘內有效，僅能使用一次。
find-password-pending = 若您在 30 分鐘內已提出要求，請使用先前信件中的連結；連結有效期間不會再寄送新的連結。
find-login = 帳號
find-login-required = 請輸入帳號。
find-email = 電子郵件
find-email-hint = 您的帳號已驗證的電子郵件地址。
find-email-required = 請輸入電子郵件地址。
find-ok = 確定
find-again = 重新提出要求
reset-password = 重新設定密碼
reset-password-lead = 重新設定後，所有裝置都會登出，請以新密碼登入。
reset-password-expired = 此連結已使用過、已被新連結取代或已逾期。請由「找回密碼」重新提出要求。
new-password = 新密碼
new-password-hint = 至少 { $count } 個字元，不得包含您的帳號、姓名或電子郵件。建議使用多個詞組合。
new-password-required = 請輸入新密碼。
new-password-too-short = 新密碼至少需要 { $count } 個字元。
password-do = 儲存密碼

## Notices

notice-email-confirmed = 電子郵件已驗證，現在可以登入。
notice-signed-out = 您已登出。
notice-session-ended = 登入已逾時，請重新登入。
notice-mail-sent = 若有等待驗證的帳號，新的驗證信已寄出。
notice-password-reset = 密碼已變更，請以新密碼登入。
notice-password-changed = 密碼已變更，其他所有裝置均已登出。
notice-key-added = 已新增 SSH 金鑰。
notice-key-renamed = 已變更 SSH 金鑰名稱。
notice-key-deleted = 已從帳戶刪除 SSH 金鑰。
notice-order-placed = 訂購完成。正在建立主機，本頁會顯示進度。
notice-action-accepted = 已收到要求，結果會顯示在下方狀態。
notice-server-deleting = 正在刪除主機，不再計費。
notice-server-removed = 已從列表移除主機。

## Lists

list-search = 搜尋
list-state = 狀態
list-sort = 排序
sort-newest = 最新優先
sort-oldest = 最舊優先
sort-name = 名稱遞增
sort-name-down = 名稱遞減
sort-state = 有問題的優先
sort-state-down = 有問題的在後
sort-price = 價格由低到高
sort-price-down = 價格由高到低
list-all = 全部
list-apply = 套用
list-none = 沒有符合的項目。
list-clear = 顯示所有主機
list-pages = 分頁
list-first = 第一頁
list-next = 下一頁
first-title = 歡迎！三個步驟建立第一台主機
first-lead = 大約需要兩分鐘。
first-account = 帳號
first-account-text = 電子郵件已驗證。
first-key = SSH 金鑰
first-key-text = 主機以金鑰登入，不使用密碼。請新增您的公開金鑰。
first-server = 第一台主機
first-server-text = 選擇方案與作業系統，確認前可先查看價格。
first-done = 完成
order-server = 訂購主機
order-again = 重新訂購

## Server

server-name = 名稱
server-addresses = IP 位址
server-no-address = 尚未分配。
server-image = 作業系統
server-plan = 方案
server-site = 資料中心
server-price = 價格
server-created = 訂購時間
server-order = 查看訂單
server-charged-since = 計費開始時間
server-charged-until = 計費結束時間
server-kept-until = 硬碟保留至
server-kept-help = 在此之前可洽詢客服。
server-failed-at = 失敗時間
server-not-charged = 尚未計費
server-observed = 最後回報
server-restored = 我方故障已排除
server-details = 詳細資料
server-keys = SSH 金鑰
server-keys-hint = 建立主機時使用的金鑰。之後在主機內所做的變更不會顯示在這裡。
server-key-removed = 已不在您的帳號中
server-connect = 連線
server-connect-text = 在您的電腦上執行：
server-connect-unknown = 目前不知道主機是否有回應。這是最後已知的登入指令：
server-connect-not-now = 主機執行中才能登入。
server-progress = 正在建立主機
server-still-charged = 關機期間仍會計費。
copy = 複製
copied = 已複製
copy-refused = 未能複製，文字已選取，請按 Ctrl+C 複製
state-requested = 已受理
state-creating = 建立中
state-create-failed = 建立失敗
state-running = 執行中
state-starting = 開機中
state-stopping = 關機中
state-rebooting = 重新啟動中
state-paused = 已暫停
state-stopped = 已關機
state-unknown = 狀態不明
state-deleting = 刪除中
state-deleted = 已刪除
state-help-requested = 已收到訂單，即將開始建立。
state-help-creating = 本頁會顯示每個步驟，離開頁面也會繼續進行。
state-help-create-failed = 主機建立失敗，未保留任何資料，也不會計費。
failed-help = 若再次失敗，請來信並註明此 ID：
state-help-running = 主機正在執行。
state-help-starting = 正在開機。
state-help-stopping = 已要求關機，目前仍在執行。
state-help-rebooting = 已要求主機重新啟動，主機尚未恢復運作。
state-help-not-answering = 實體機收不到這台主機的任何回應，因此目前狀態不明。
state-help-paused = 主機已暫停，記憶體內容仍保留。
state-help-stopped = 主機已關機，硬碟與 IP 位址仍為您保留。
state-help-unknown = 無法連線到這台主機所在的實體機，因此不知道是否仍在執行。主機可能運作正常，這段期間照常計費。實體機恢復回應後會立即更新狀態；若您無法使用主機，請聯絡客服。
state-help-deleting = 正在移除主機，不再計費。
state-help-deleted = 主機已刪除，不再計費。
pause-by-hand = 維運人員暫停了這台主機，資料不受影響。按「開機」即可繼續執行。這段時間會記錄並折抵費用。
pause-disk-full = 實體機的硬碟已滿，為避免資料遺失而暫停主機。有空間後會自動繼續，已通知維運人員。這段時間會記錄並折抵費用。
pause-disk-error = 無法讀寫主機的硬碟，因此暫停主機。系統會持續重試，已通知維運人員。這段時間會記錄並折抵費用。
pause-guest-crashed = 主機內的作業系統已當機。按「開機」會重新啟動，未儲存的資料會遺失。
pause-host-busy = 實體機正在處理這台主機，稍後會自動繼續。
pause-asleep = 作業系統已進入睡眠。按「開機」即可喚醒。
pause-unknown = 主機已暫停，原因不明。按「開機」即可繼續執行。
step-queued = 等待處理
step-image = 取得作業系統
step-disk = 建立硬碟
step-network = 設定網路
step-start = 啟動主機
step-done-queued = 已由實體機受理
step-done-image = 已取得作業系統
step-done-disk = 已建立硬碟
step-done-network = 已設定網路
step-done-start = 已啟動
trouble-image-unavailable = 無法取得作業系統映像檔。
trouble-disk-failed = 無法建立硬碟。
trouble-network-failed = 無法設定網路。未套用防護前不會啟動主機。
trouble-start-failed = 無法啟動主機。
trouble-shutdown-ignored = 作業系統沒有回應關機要求。請從系統內關機，或強制關機；未儲存的資料會遺失。
trouble-deadline-missed = 所需時間超出預期，已通知維運人員。
trouble-feature-missing = 實體機需要先更新，已通知維運人員。
trouble-delete-failed = 正在重試刪除主機，不會計費。
trouble-not-answering = 執行此主機的機器收不到它的回應，已通知維運人員。強制關機後再開機通常有用。
trouble-not-reachable = 主機正在執行，但作業系統未在所有 IP 位址上回應。請檢查網路設定與防火牆，或重新啟動。這段期間仍會計費。
trouble-not-reachable-yet = 主機已啟動，但尚未在網路上回應。若訂購後 30 分鐘內仍無回應，訂單會失敗且不計費。
trouble-reboot-failed = 作業系統沒有回應重新啟動要求。請強制關機後再開機；未儲存的資料會遺失。
trouble-outage = 因我方故障，目前無法連線到這台主機。已通知維運人員。這段時間會記錄並折抵費用。
outage-host-network = 因我方故障，無法連線到這台主機：執行它的實體機網路設定不正確。已通知維運人員。這段時間會記錄並折抵費用。
outage-foreign-rules = 因我方故障，無法連線到這台主機：實體機上的防火牆擋下了它的封包。已通知維運人員。這段時間會記錄並折抵費用。
outage-uplink = 因我方故障，無法連線到這台主機：執行它的實體機網路中斷。已通知維運人員。這段時間會記錄並折抵費用。
outage-host-disk = 因我方故障，這台主機無法執行：實體機的磁碟已滿或故障。已通知維運人員。這段時間會記錄並折抵費用。
outage-paused-at-host = 維運人員暫停了這台主機。這段時間會記錄並折抵費用。
outage-hung = 因我方故障，這台主機沒有回應：執行它的程式停住了。已通知維運人員。這段時間會記錄並折抵費用。
failure-image-unavailable = 無法取得作業系統映像檔。
failure-disk-failed = 無法建立硬碟。
failure-network-failed = 無法設定網路。
failure-start-failed = 無法啟動主機。
failure-deadline-missed = 超過允許的時間。
failure-feature-missing = 實體機需要先更新。
failure-not-reachable = 主機已啟動，但 30 分鐘內無法透過網路連線。若再次發生，請改選其他作業系統或聯絡客服。
failure-other = 我方發生問題。
trouble-retrying = 系統會自動重試，您不需要做任何事。
action-start = 開機
action-shutdown = 關機
action-power-off = 強制關機
action-reboot = 重新啟動
action-delete = 刪除主機
ask-back = 返回主機頁面
ask-start = 要將 { $name } 開機嗎？
ask-start-text = 主機會從硬碟開機。
ask-shutdown = 要將 { $name } 關機嗎？
ask-shutdown-text = 會要求作業系統關機，連線中的使用者會中斷。硬碟與 IP 位址會保留，關機期間仍會計費。
ask-power-off = 要強制關閉 { $name } 嗎？
ask-power-off-text = 主機會立即停止，如同拔掉電源。尚未寫入硬碟的內容會遺失，檔案也可能損壞。硬碟與 IP 位址會保留，關機期間仍會計費。若作業系統仍有回應，請改用關機。
ask-reboot = 要將 { $name } 重新啟動嗎？
ask-reboot-text = 會要求作業系統重新啟動，連線中的使用者會中斷，直到主機恢復。
ask-delete = 要刪除 { $name } 嗎？
delete-title = 刪除主機
delete-lost = 主機、IP 位址與資料會立即無法使用，並停止計費。
delete-kept = 硬碟會保留 { $count } 天後銷毀，在此之前可洽詢客服。
delete-type = 請輸入主機名稱以確認：
delete-failed = 從列表移除

## SSH keys

keys-lead = 只有持有您所選金鑰的私密金鑰的人，才能登入新主機。
keys-none = 尚未新增 SSH 金鑰。
keys-none-text = 請在下方新增公開金鑰，訂購主機時需要。
keys-added = 新增於
key-type = 類型
key-bits = { $count } 位元
key-fingerprint = 指紋
key-added = 新增時間
key-rename = 新名稱
key-rename-title = 變更金鑰名稱
key-rename-do = 變更名稱
key-add = 新增 SSH 金鑰
key-public = 公開金鑰
key-public-hint = 以 ssh-ed25519、ecdsa-…、sk-… 或 ssh-rsa 開頭的一行。切勿貼上私密金鑰。
key-name = 金鑰名稱
key-name-hint = 例如所在的電腦名稱。留空則使用金鑰本身的註解。
key-delete = 刪除
key-delete-text = 將從帳戶刪除 { $name }。已安裝此金鑰的主機不受影響，需自行移除。
key-delete-do = 刪除金鑰
key-help-title = 如何產生金鑰？
key-help-terminal = 開啟終端機。若還沒有金鑰，請先產生；按 Enter 採用預設值。
key-help-powershell = 開啟 PowerShell。若還沒有金鑰，請先產生；按 Enter 採用預設值。
key-help-paste = 複製顯示的那一行並貼到這裡。
key-help-puttygen = 開啟 PuTTYgen，選擇 EdDSA 並按 Generate。
key-help-puttygen-save = 設定密語並將私密金鑰存放在安全的地方。
key-help-puttygen-copy = 複製「Public key for pasting into OpenSSH authorized_keys file」下方的文字並貼到這裡。
key-help-phone = 在 Termius 等 SSH App 中產生金鑰，並複製公開金鑰。

## Ordering

order-site = 資料中心
order-image = 作業系統
order-image-disk = 需要 { $amount } 硬碟
order-plan = 方案
order-name = 主機名稱
order-name-hint = 小寫英文字母、數字與連字號，例如 web-1。將作為主機的 hostname。
order-keys = SSH 金鑰
order-keys-hint = 持有所選金鑰的人才能登入，無法使用密碼登入。
order-keys-none = 您還沒有 SSH 金鑰。請貼在這裡，會儲存到您的帳戶。
order-keys-another = 新增其他金鑰
order-price = 價格
order-price-hint = 此為預估金額，實際帳單依使用時間而定。
order-price-noscript = 下一頁會顯示您所選方案的價格。
order-continue = 下一步
confirm-order = 確認訂單
confirm-order-do = 以此價格訂購
confirm-order-change = 修改
confirm-order-again = 重新查詢價格
confirm-order-until = 此價格有效至 { $amount }。
caution-title = 注意事項
caution-charge = 自主機就緒起至刪除為止，依每小時費率以秒計費，至少收取一小時的費用。
caution-stopped = 關機期間仍會計費。
caution-failed = 若主機建立失敗，不會計費。
caution-estimate = 帳單金額依使用時間而定，費率與稅額如上所示。
caution-accept = 我已閱讀注意事項並同意訂購。

## Orders

orders-none = 尚無訂單。
orders-none-text = 您的訂單與價格會顯示在這裡。
orders-placed = 訂購時間
order-title = 訂單：{ $name }
order-number = 訂單編號
order-contract = 合約編號
order-state-provisioning = 處理中
order-state-completed = 已完成
order-state-failed = 失敗
order-state-cancelled = 已取消
order-failed-free = 未計費。

## Account

account-tabs = 帳戶設定選單
account-profile = 帳戶資料
change-password = 更改密碼
change-password-lead = 此裝置會維持登入，其他所有裝置都會登出。
current-password = 目前的密碼
current-password-required = 請輸入目前的密碼。
current-password-wrong = 目前的密碼不正確。
account-language = 信件語言
account-since = 註冊日期
account-quota = 可同時使用的主機數
account-change = 如需更改資料，請聯絡

## Failures

failure-not-found = 找不到頁面
failure-forbidden = 不允許此操作
failure-not-sent = 表單未執行
failure-conflict = 目前無法處理
failure-too-many = 請稍候
failure-down = 無法連線到服務
failure-internal = 系統發生問題
failure-bad-request = 無法處理此要求
failure-forgery = 此表單已過期，或不是從本站開啟的，尚未執行任何動作。請重新載入頁面後再送出一次。
failure-forgery-home = 本站的網址：
failure-kept = 您輸入的內容仍保留，可以再次送出。
failure-retry = 重試
failure-home = 回首頁
failure-request = 聯絡客服時請提供請求編號：
problem-bad-request = 無法讀取要求，請返回後重試。
problem-idempotency-key-missing = 要求不完整，請重新載入頁面後再送出。
problem-unauthenticated = 請先登入。
problem-bad-credentials = 帳號或密碼不正確。連續錯誤五次將鎖定 30 分鐘。
problem-email-unconfirmed = 電子郵件尚未驗證，請打開驗證信中的連結。
problem-quota-exceeded = 已達帳戶上限。請刪除不需要的項目，或聯絡客服提高上限。
problem-not-found = 此頁面不存在，或您沒有檢視權限。
problem-method-not-allowed = 此頁面不支援這個操作。
problem-capacity-unavailable = 目前沒有足夠的資源建立這台主機，未保留也未計費。請改選較小的方案或其他資料中心，或稍後再試。
problem-capacity-unreachable = 目前無法連線到有空間建立這台主機的機器。沒有保留任何資源，也不會收費。請幾分鐘後再試；其他方案或資料中心現在可能仍可訂購。
problem-idempotency-conflict = 相同的訂單正在處理中，請稍後再試，不會重複訂購。
problem-invalid-state = 目前的狀態無法執行此操作，頁面顯示的是最新狀態。
problem-price-changed = 價格已變更，尚未訂購。
problem-quote-expired = 報價已過期，尚未訂購。
problem-link-expired = 此連結已失效。
problem-too-large = 輸入的內容過大。
problem-unsupported-media-type = 無法讀取此格式的要求。
problem-idempotency-mismatch = 此頁面已用於其他訂單，請重新載入。
problem-validation-failed = 部分欄位需要修正。
problem-account-locked = 密碼錯誤次數過多，帳號已鎖定。請於 { $count } 分鐘後再登入。
problem-rate-limited = 要求過於頻繁，請於 { $count } 秒後再試。
problem-rate-limited-minutes = 要求過於頻繁，請於 { $count } 分鐘後再試。
problem-order-limit = 您在短時間內訂購或訂購後刪除了太多主機，本次未成立訂單。請於 { $count } 分鐘後再試，或聯絡客服提高上限。
problem-starting = 服務剛重新啟動，正在等候各實體主機回應，本次未成立訂單。請於 { $count } 秒後再試；您的主機仍持續運作。
problem-starting-minutes = 服務剛重新啟動，正在等候各實體主機回應，本次未成立訂單。請於 { $count } 分鐘後再試；您的主機仍持續運作。
problem-internal = 這是系統的問題，已留下紀錄，請稍後再試。
problem-unavailable = 服務目前沒有回應。您的主機會繼續執行，請稍後再試。
problem-storage-full = 目前無法儲存，仍可查詢。已通知維運人員。

## Field errors

field-required = 此欄位為必填。
field-malformed = 格式不正確。
field-too-long = 內容過長。
field-longer-than = 請勿超過 { $count } 個字元。
field-wrong = 內容不正確。
field-taken = 已被使用。
field-too-short = 長度不足。
field-weak = 密碼容易被猜到，請使用更長或較不常見的密碼。
field-contains-personal-data = 密碼不得包含帳號、姓名或電子郵件。
field-outdated = 內容已更新，請重新閱讀。
field-unknown = 沒有這個選項，請從清單中選擇。
field-reserved = 此帳號無法使用，請改用其他帳號。
field-private-key = 這是私密金鑰，不可提供給任何人。請重新產生一組，並貼上公開金鑰：.pub 檔案的內容，或 PuTTYgen 上方方塊中的文字。
field-unsafe-key = 這種金鑰已不安全，請用 ssh-keygen -t ed25519 產生新的。
field-several-keys = 這裡有多把金鑰，請一次新增一把。
field-key-options = 請刪除金鑰前面的內容。金鑰以 ssh-ed25519、ecdsa-…、sk-… 或 ssh-rsa 開頭。
field-certificate = 這是憑證。請貼上金鑰本身，也就是檔名不含 -cert 的 .pub 檔案。
field-duplicate = 已經存在。
field-too-many = 超過允許的數量。
field-disk-too-small = 方案的硬碟不足以容納此作業系統，請選擇較大的方案。
field-sold-out = 這個方案在這個資料中心已售完。請選擇其他方案或資料中心。
field-invisible-characters = 內含看不見的字元。請直接輸入，不要貼上。
field-link = 不可包含網址。
sign-up-id-required = 請輸入帳號。
sign-up-id-malformed = 帳號需為 5 到 12 個英文字母（必填）或數字。
sign-up-id-too-short = { sign-up-id-malformed }
sign-up-id-too-long = { sign-up-id-malformed }
sign-up-id-taken = 此帳號已被使用，請改用其他帳號。
sign-up-email-required = 請輸入電子郵件。
sign-up-email-malformed = 請輸入像 name@example.com 的電子郵件。
field-bad-domain = 無法寄信到 @ 後面的網域。請檢查結尾是否多了句點，或混入了形狀相似的字元。
sign-up-email-too-many = 此電子郵件的帳號數已達上限。請改用其他電子郵件，或直接登入。
sign-up-password-required = 請輸入密碼。
sign-up-password-too-short = 請至少輸入 { $count } 個字元。
sign-up-accept-required = 請同意服務條款。
caution-accept-required = 請勾選以確認已閱讀注意事項。
key-public-required = 請貼上公開金鑰。
key-public-malformed = 這不是 OpenSSH 公開金鑰。應為一行，例如：ssh-ed25519 AAAA… 名稱
key-public-too-short = 這把 RSA 金鑰太短，至少需要 3072 位元。請用 ssh-keygen -t ed25519 產生新的。
key-public-too-many = 您的金鑰合計過長。請刪除一把，或改用較短的 Ed25519 金鑰。
order-keys-required = 請至少選擇一個 SSH 金鑰，或貼上新的。
field-proposal = { $value } 可以使用。
order-name-required = 請輸入主機名稱。
order-name-malformed = 請使用小寫英文字母、數字與連字號，最多 63 字，至少一個字母，開頭與結尾須為字母或數字。
order-name-too-long = { order-name-malformed }
order-name-reserved = 這個名稱在電腦上另有用途。請換一個名稱。
order-name-taken = 您已有同名的主機。請換一個名稱。
delete-type-unknown = 與主機名稱不符，尚未刪除。
