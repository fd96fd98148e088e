# What the portal says, in English. All languages have the same keys; tests compare them.

## Navigation and frame

nav-skip = Skip to the content
nav-main = Main menu
nav-menu = Menu
nav-crumbs = Where you are
nav-servers = Servers
nav-server = Server
nav-keys = SSH keys
nav-orders = Order history
nav-billing = Billing
nav-account = Account
nav-account-menu = Account menu
sign-in = Sign in
sign-up = Sign up
sign-out = Sign out
footer-languages = Language
footer-language-is = { "Language: " }
footer-help = Need help?
company-name = Company
company-representative = Representative
company-registration = Business registration number
company-mail-order = Mail-order business number
company-address = Address
company-telephone = Telephone
terms-title = Terms of use
terms-version = Version { $amount }
privacy-title = Privacy policy
text-foreign = There is no English version of this text.
live-stale = This page is not current since { $time }. It goes on as soon as the service answers.
live-ended = You have been signed out. What you see here is of { $time }.
live-refresh = Refresh

## Landing page

landing-title = Servers by the hour
landing-heading = Your own server, ready while you watch
landing-lead = Choose a size, add your SSH key and sign in. Pay by the hour, never more than the monthly price.
landing-see-plans = See plans and prices
landing-plans = Plans and prices
landing-sites = Data centres
landing-images = Operating systems
landing-keys = Only your key opens it
landing-keys-text = Servers take SSH keys and no passwords, and no other server can use your address.
spec-cpu = { $amount } vCPU
spec-memory = { $amount } memory
spec-disk = { $amount } disk
spec-ipv4 = { $count ->
    [one] { $count } IPv4 address
   *[other] { $count } IPv4 addresses
}
spec-ipv6 = { $count ->
    [one] { $count } IPv6 address
   *[other] { $count } IPv6 addresses
}
order-this = Order
plan-sold-out = Sold out
plan-not-now = Not available at the moment
plan-sold-out-at = Sold out at { $sites }
plan-not-now-at = Not available at the moment at { $sites }

## Prices

money-krw = ₩{ $amount }
money-twd = NT${ $amount }
money-usd = ${ $amount }
money-eur = €{ $amount }
price-hour = { $amount } an hour
price-month = at most { $amount } a month
price-before-tax = before tax
price-with = { $amount } included
price-plus = plus { $amount }
prices-before-tax = Prices are before tax.
prices-with = Prices include { $amount }.
prices-plus = Prices are before { $amount }.
bill-hour = An hour
bill-month = A month, at most
bill-net = Price
bill-gross = Total
bill-minimum = Minimum charge
bill-minimum-hint = For the first hour, however short the life of the server.

## Times

time-now = just now
time-seconds = { $count } seconds ago
time-minutes = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
time-hours = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
time-days = { $count ->
    [one] { $count } day ago
   *[other] { $count } days ago
}

## Forms

form-problem = There is a problem
form-refused = That did not work
form-kept = You are signed in again. What you entered is still here and was not sent yet: look at it, and send it.
form-proved = Thank you. What you entered is still here and was not sent yet: look at it, and send it.
form-lost = What you had entered is no longer kept. Please enter it again.
form-stale = This form was opened before you signed in or out. Nothing was done. What you entered is still here, without passwords: please send it once more.
form-no-cookie = Your browser sends no cookies to this site, so nothing was done. Allow cookies for this site, then send the form once more.
form-error = { "Error: " }
form-required = (required)
form-optional = (optional)
form-sending = Sending…
form-sending-still = Still sending…

## Sign-up

sign-up-lead = You need an e-mail address that you can read now.
sign-up-to-order = First an account, then { $amount }: the choice is kept.
sign-up-id = ID
sign-up-id-hint = 5 to 12 letters and digits, with at least one letter.
sign-up-name = Name
sign-up-name-hint = The person whom we write to.
sign-up-email = E-mail
sign-up-email-hint = We send a link there to confirm it.
sign-up-password = Password
sign-up-password-hint = { $count ->
    [one] At least { $count } character. Several words in a row are good.
   *[other] At least { $count } characters. Several words in a row are good.
}
sign-up-terms = Terms
sign-up-accept = I have read the terms and accept them.
sign-up-kind = Member type
sign-up-kind-lead = Choose the type of member that you want to be. It cannot be changed afterwards.
sign-up-kind-change = Choose another type
sign-up-next = Next
sign-up-approval = We look at the sign-up of each company: you can sign in as soon as yours is approved, and are told by mail.
kind-individual = Individual
kind-corporate = Corporate
kind-partner = Partner
kind-help-individual = For yourself. You can sign in as soon as your e-mail address is confirmed.
kind-help-corporate = For your company. Before you can sign in, we approve the sign-up.
kind-help-partner = For a company that sells or runs our services for others. Before you can sign in, we approve the sign-up.
sign-up-company = Company name
sign-up-company-hint = As it is registered.
sign-up-mobile = Mobile number
sign-up-mobile-hint = Of the person who looks after the servers, with the country's code, such as +82 10 1234 5678.
sign-up-personal-data = Collection and use of personal data
sign-up-accept-personal-data = I agree to the collection and use of my personal data.
sign-up-accept-all = I agree to all of these.
sign-up-do = Sign up
sign-up-have-account = Have an account already?
done-title = Check your mail
done-sent-to = We have sent a link to { $email }.
done-sent = If you have signed up here just now, a link is on its way to the address you gave.
done-then = Open it and press the button there. After that you can sign in.
done-then-approval = Open it and press the button there. After that we look at your sign-up; a mail tells you when you can sign in.
done-spam = Look into your spam folder first; it may take a minute.
resend-title = Did not get the mail?
resend-lead = We send the link again if there is an account that waits for it. Older links then no longer work.
resend-login = ID or e-mail
resend-login-hint = The one you signed up with.
resend-login-required = Enter your ID or e-mail address.
resend-do = Send the mail again
confirm-title = Confirm your e-mail address
confirm-text = One more click and your account is ready.
confirm-text-approval = One more click, and your sign-up is with us to be approved.
confirm-address = E-mail address to confirm: { $email }
confirm-do = Confirm address
confirm-expired = This link was used already, was replaced by a newer one, or is too old. If you cannot sign in yet, have another one sent; a day after signing up, sign up again.
approval-title = Awaiting approval
approval-text = Your e-mail address is confirmed, and your sign-up is being looked at.
approval-mail = A mail tells you as soon as it is approved. Then you can sign in.
approval-help = Questions? Write to
approval-home = To the first page
rejected-title = Sign-up not approved
rejected-text = Your sign-up was not approved, so you cannot sign in to this account. The reason is in the mail that we have sent you.
rejected-again = You can sign up again with the same e-mail address and another ID.

## Sign-in

sign-in-login = ID or e-mail
sign-in-login-required = Enter your ID or e-mail address.
sign-in-password = Password
sign-in-password-required = Enter your password.
sign-in-remember = Remember ID
sign-in-kept = Your session has ended. Sign in again: what you entered is kept, and you can send it then.
sign-in-to-order = Sign in to order { $amount }, or sign up first. The choice is kept.
sign-in-locked-help = To get in at once, choose a new password:
sign-in-code-title = Two-step verification
sign-in-code-lead = Your password is right. Enter the code that your authenticator app shows for this account.
sign-in-code = Code of the app
sign-in-code-hint = Six digits; a new code is shown every 30 seconds.
sign-in-code-required = Enter the code of your app, or a recovery code.
sign-in-code-wrong = This code is wrong or was used already. Wait for the next one.
sign-in-recovery = I do not have my phone
sign-in-recovery-code = Recovery code
sign-in-recovery-code-hint = One of the codes that you kept when you switched it on, such as 040G-2081-040G-2081. Each works once.
sign-in-recovery-code-wrong = This is no recovery code of yours, or it was used already.
sign-in-again = Start again
sign-in-lost-factor = App and recovery codes lost?
lost-factor-title = App and recovery codes lost?
lost-factor-lead = Your password is right. If you have neither the app nor a recovery code, you can ask us to switch two-step verification of your account off.
lost-factor-mails = We tell all e-mail addresses of your account, those of the last 30 days too. Whoever reads these mails can end the request.
lost-factor-staff = Two of our staff look at the request, and may ask you to show who you are.
lost-factor-wait = After three days at the earliest, two-step verification is switched off. You are signed out everywhere then, and your API tokens are off until you put each of them on again.
lost-factor-found = If you find the app or a recovery code meanwhile, sign in with it: that ends the request. What is not confirmed within 14 days is over.
lost-factor-do = Ask for it
lost-factor-back = Enter a code after all
lost-factor-password = You can ask after you have entered your password.
lost-factor-done = Your request is made, and a mail is on its way to each address of your account.
lost-factor-done-next = We look at it within the next days, and tell you by mail when two-step verification is off. You need not do anything until then.
lost-factor-help = Questions?
lost-mailbox-title = Only the mailbox is lost?
lost-mailbox-text = If you still have your app or a recovery code, sign in, and change your e-mail address under “Account”. That takes your password and a code, and no mail to the lost address has to be read.
cancel-factor-title = End the request
cancel-factor-text = Somebody who knows your password has asked us to switch two-step verification of your account off. With this button you end that at once; two-step verification stays on.
cancel-factor-do = End the request
cancel-factor-expired = This link was used already, or the request is over.
notice-lost-factor-cancelled = The request is ended, and two-step verification stays on. If it was not you who asked, somebody knows your password: change it now.

## Ways back in

find-id = Find ID
find-id-lead = Enter your e-mail address. We mail you the IDs that were opened with it.
find-id-done = If there are accounts with this address, a mail with their IDs is on its way to it.
find-password = Find password
find-password-lead = Enter your ID and the e-mail address of your account. We mail you a link to choose a new password.
find-password-done = If ID and address belong together, a link to choose a new password is on its way. It works once, for 30 minutes.
find-password-pending = If you have asked for one within the last 30 minutes, use the link in the mail that you have: no second one is sent while it works.
find-login = ID
find-login-required = Enter your ID.
find-email = E-mail
find-email-hint = The address that you confirmed for your account.
find-email-required = Enter your e-mail address.
find-ok = OK
find-again = Ask again
reset-password = Choose a new password
reset-password-lead = All devices are signed out by that. Then sign in with your new password.
reset-password-expired = This link was used already, was replaced by a newer one, or is too old. Have another one sent.
new-password = New password
new-password-hint = { $count ->
    [one] At least { $count } character, without your ID, name or e-mail address. Several words in a row are good.
   *[other] At least { $count } characters, without your ID, name or e-mail address. Several words in a row are good.
}
new-password-required = Enter a new password.
new-password-too-short = { $count ->
    [one] The password must have at least { $count } character.
   *[other] The password must have at least { $count } characters.
}
password-do = Save password

## Notices

notice-email-confirmed = Your address is confirmed. You can sign in now.
notice-signed-out = You are signed out.
notice-session-ended = Your session has ended. Please sign in again.
notice-mail-sent = If an account waits for it, a new link is on its way.
notice-password-reset = Your password was changed. Sign in with the new one.
notice-password-changed = Your password was changed. All other devices are signed out.
notice-billing-profile-saved = Your invoice data was saved.
notice-profile-changed = Saved.
notice-consent-given = Your consent is noted.
notice-new-email-mailed = A link is on its way to the new address. The present one counts until you have confirmed it.
notice-new-email-confirmed = Your new e-mail address is confirmed.
notice-sessions-ended = Signed out.
notice-two-step-off = Two-step verification is off.
notice-token-ended = Token ended.
notice-token-enabled = Token is on again.
notice-key-added = The SSH key was added.
notice-key-known = You have this key already. This is it.
notice-key-renamed = The SSH key has its new name.
notice-key-deleted = The SSH key was deleted from your account.
notice-order-placed = Order placed. Your server is being made; this page follows it.
notice-action-accepted = Request received. The state below follows it.
notice-server-deleting = The server is being deleted. It is no longer charged.
notice-server-removed = The server was removed from the list.

## Lists

list-search = Search
list-state = State
list-sort = Order
sort-newest = Newest first
sort-oldest = Oldest first
sort-name = Name, A to Z
sort-name-down = Name, Z to A
sort-state = In trouble first
sort-state-down = In trouble last
sort-price = Cheapest first
sort-price-down = Dearest first
list-all = All
list-apply = Apply
list-none = Nothing matches.
list-clear = Show all servers
list-pages = Pages
list-first = First page
list-next = Next page
first-title = Welcome. Your first steps
first-lead = It takes a few minutes.
first-account = Account
first-account-text = Your e-mail address is confirmed.
first-key = SSH key
first-key-text = Servers let in keys, not passwords. Add the public half of yours.
first-server = First server
first-server-text = Choose a size and a system; see the price before you confirm.
first-factor-text = A code of your phone beside the password keeps others out.
first-factor-do = Set up
first-hide = Hide these steps
servers-none = You have no servers.
notice-first-steps-hidden = The first steps are shown no more.
first-done = Done
order-server = Order a server
order-again = Order again

## Server

server-name = Name
server-addresses = Addresses
server-no-address = None yet.
server-image = System
server-plan = Plan
server-site = Data centre
server-price = Price
server-created = Ordered
server-order = See the order
server-charged-since = Charged since
server-charged-until = Charged until
server-kept-until = Disk kept until
server-kept-help = Support can tell what is possible until then.
server-failed-at = Failed at
server-not-charged = Not charged yet
server-observed = Last seen
server-restored = Fault of ours put right
server-details = Details
server-keys = SSH keys
server-keys-hint = The server was made with these. What was changed inside it since then is not shown here.
server-key-removed = No longer in your account
server-connect = Connect
server-connect-text = Sign in from your computer:
server-connect-unknown = Whether anybody answers is not known. This is how you sign in, as far as we know:
server-connect-not-now = Signing in is possible while the server runs.
server-progress = Your server is being made
server-still-charged = Still charged while stopped.
copy = Copy
print = Print
copied = Copied
copy-refused = Not copied; it is marked, copy it with Ctrl+C
state-requested = Requested
state-creating = Creating
state-create-failed = Failed
state-running = Running
state-starting = Starting
state-stopping = Shutting down
state-rebooting = Rebooting
state-paused = Paused
state-stopped = Stopped
state-suspended = Suspended
state-unknown = Unknown
state-deleting = Deleting
state-deleted = Deleted
state-help-requested = Ordered. A host takes it on within seconds.
state-help-creating = This page follows each step. You may leave it; the work goes on.
state-help-create-failed = The server could not be made. Nothing of it is kept and nothing is charged.
failed-help = If it fails again, write to us and name this id:
state-help-running = The server runs.
state-help-starting = The server was asked to start.
state-help-stopping = The server was asked to shut down and still runs.
state-help-rebooting = The server was asked to reboot, and has not come back yet.
state-help-not-answering = The host hears nothing of the server, so what it does is not known.
state-help-paused = The server is paused: its memory is kept, and nothing in it runs.
state-help-stopped = The server does not run. Its disk and address stay yours.
state-help-suspended = Your account is suspended. When something is to be paid the server is switched off, otherwise its network is cut. Nothing is charged meanwhile.
state-help-unknown = The host of this server can't be reached, so nobody knows whether it runs. It may well go on working. It is charged meanwhile as before. The page changes as soon as the host answers; if you can't use the server, write to support.
state-help-unknown-unmade = The host that is to make this server can't be reached. It goes on as soon as the host answers; nothing is charged before the server is ready. If that takes more than 30 minutes, the order ends and we mail you.
state-help-deleting = The server is being removed. It is no longer charged.
state-help-deleted = The server is gone. It is no longer charged.
state-help-host-lost = The machine that the server ran on failed for good. The server and its disk are lost. It is no longer charged.
pause-by-hand = Our operators have paused the server. Nothing in it is lost. Start lets it go on. We note this time for a credit.
pause-disk-full = The host's disk is full, so the server was paused before it could lose anything. It goes on by itself as soon as there is room. Our operators can see this too. We note this time for a credit.
pause-disk-error = The server's disk could not be read or written, so the server was paused. We try again and again to let it go on. Our operators can see this too. We note this time for a credit.
pause-guest-crashed = The operating system in the server has crashed. Start restarts it; unsaved data is lost.
pause-host-busy = The host is busy with the server for a moment. It goes on by itself.
pause-asleep = The operating system has put itself to sleep. Start wakes it.
pause-unknown = The server is paused, and its host does not say why. Start lets it go on.
step-queued = Queued
step-image = Fetching the system
step-disk = Making the disk
step-network = Setting up the network
step-start = Starting
step-done-queued = Taken on by a host
step-done-image = System fetched
step-done-disk = Disk made
step-done-network = Network set up
step-done-start = Started
trouble-image-unavailable = The operating system's image can't be fetched.
trouble-disk-failed = The disk can't be made.
trouble-network-failed = The network can't be set up, and the server is not started without its protection.
trouble-start-failed = The server can't be started.
trouble-shutdown-ignored = The operating system did not react to the request to shut down. Shut it down from inside, or power it off; unsaved data is then lost.
trouble-deadline-missed = This takes longer than it should. Our operators can see this too.
trouble-feature-missing = The host must be updated before this is possible. Our operators can see this too.
trouble-delete-failed = Removing the server takes several tries. You are not charged for it.
trouble-not-answering = The machine that runs this server gets no answer from it. Our operators can see this too. Powering it off and starting it again often helps.
trouble-not-reachable = The server runs, but its operating system does not answer on all of its addresses. Look at its network settings and its firewall, or reboot it. It is charged meanwhile.
trouble-not-reachable-yet = The server has started and does not answer on its network yet. If it does not within 30 minutes of the order, the order fails and nothing is charged.
trouble-reboot-failed = The operating system did not reboot when it was asked. Power the server off and start it again; unsaved data is then lost.
trouble-outage = By a fault of ours the server can't be reached at the moment. Our operators can see this too. We note this time for a credit.
outage-host-network = By a fault of ours the server can't be reached: the network of the machine that runs it is not set up as it must be. Our operators can see this too. We note this time for a credit.
outage-foreign-rules = By a fault of ours the server can't be reached: a firewall on the machine that runs it drops its packets. Our operators can see this too. We note this time for a credit.
outage-uplink = By a fault of ours the server can't be reached: the machine that runs it is cut off from the network. Our operators can see this too. We note this time for a credit.
outage-host-disk = By a fault of ours the server does not run: the disk of the machine that runs it is full or fails. Our operators can see this too. We note this time for a credit.
outage-paused-at-host = One of our operators has paused the server. We note this time for a credit.
outage-hung = By a fault of ours the server does not answer: the program that runs it hangs. Our operators can see this too. We note this time for a credit.
failure-image-unavailable = The operating system's image could not be fetched.
failure-disk-failed = The disk could not be made.
failure-network-failed = The network could not be set up.
failure-start-failed = The server could not be started.
failure-deadline-missed = It took longer than it may.
failure-feature-missing = The host must be updated first.
failure-not-reachable = The server was started, but could not be reached on its network within 30 minutes. If it happens again, choose another operating system or ask support.
failure-other = Something went wrong on our side.
trouble-retrying = We try again by ourselves; there is nothing you need to do.
action-start = Start
action-shutdown = Shut down
action-power-off = Power off
action-reboot = Reboot
action-delete = Delete server
ask-back = Back to the server
ask-start = Start { $name }?
ask-start-text = The server boots from its disk.
ask-shutdown = Shut down { $name }?
ask-shutdown-text = The operating system is asked to stop. Whoever is connected is cut off. Disk and addresses stay yours, and the server is still charged.
ask-power-off = Power off { $name }?
ask-power-off-text = The server stops at once, as if its plug was pulled. What programs have not written to the disk yet is lost, and files may be damaged. Disk and addresses stay yours, and the server is still charged. If the operating system still answers, shut it down instead.
ask-reboot = Reboot { $name }?
ask-reboot-text = The operating system is asked to restart. Whoever is connected is cut off until it is back.
ask-delete = Delete { $name }?
delete-title = Delete server
delete-lost = Server, address and data are out of your reach at once, and charging ends.
delete-kept = { $count ->
    [one] The disk is kept aside for { $count } day before it is destroyed; support can tell what is possible until then.
   *[other] The disk is kept aside for { $count } days before it is destroyed; support can tell what is possible until then.
}
delete-type = To confirm, type the server's name:
delete-failed = Remove from the list

## SSH keys

keys-lead = A new server lets in those who hold the private half of a key you choose.
keys-none = No SSH key yet.
keys-none-text = Add the public half of a key below; you need one to order a server.
keys-added = added { $time }
key-type = Type
key-bits = { $count } bits
key-fingerprint = Fingerprint
key-added = Added
key-rename = New name
key-rename-title = Rename the key
key-rename-do = Rename
key-add = Add SSH key
key-public = Public key
key-public-hint = One line that begins with ssh-ed25519, ecdsa-…, sk-… or ssh-rsa. Never paste a private key.
key-name = Name of the key
key-name-hint = Such as the computer it is on. If empty, the key's comment is used.
key-delete = Delete
key-delete-text = { $name } is deleted from your account. Servers that have it already keep it until you remove it there.
key-delete-do = Delete key
key-help-title = How do I make a key?
key-help-terminal = Open a terminal. If you have no key yet, make one; Enter accepts what it suggests.
key-help-powershell = Open PowerShell. If you have no key yet, make one; Enter accepts what it suggests.
key-help-paste = Copy the line that is shown and paste it here.
key-help-puttygen = Open PuTTYgen, choose EdDSA and press Generate.
key-help-puttygen-save = Save the private key in a safe place, with a passphrase.
key-help-puttygen-copy = Copy the text under “Public key for pasting into OpenSSH authorized_keys file” and paste it here.
key-help-phone = Make a key in your SSH app, such as Termius, and copy its public half.

## Ordering

order-site = Data centre
order-image = Operating system
order-image-disk = needs { $amount } of disk
order-plan = Plan
order-name = Name of the server
order-name-hint = Lower-case letters, digits and hyphens, such as web-1. It becomes the host name.
order-keys = SSH keys
order-keys-hint = Anyone with one of these keys can sign in. There is no password.
order-keys-none = You have no SSH key yet. Paste one here; it is kept in your account.
order-keys-another = Add another key
order-price = Price
order-price-hint = Estimate: the bill depends on the time that you use.
order-price-noscript = The next page shows the price of what you chose.
order-continue = Continue
confirm-order = Confirm order
confirm-order-do = Order at this price
confirm-order-change = Change
confirm-order-again = Ask for the price again
confirm-order-until = This price holds until { $amount }.
caution-title = Before you order
caution-charge = A server is charged at its hourly price, to the second, from the moment it is ready until you delete it; at least one hour.
caution-stopped = Still charged while stopped.
caution-failed = If the server can't be made, nothing is charged.
caution-estimate = The bill follows the time that you use. Price and tax are as shown here.
caution-accept = I have read this and want to order.

## Orders

orders-from = Placed from
orders-until = Placed until
orders-none = No orders yet.
orders-none-text = What you order is listed here, with its price.
orders-placed = Placed
order-title = Order for { $name }
order-number = Order number
order-contract = Contract
order-state-provisioning = In progress
order-state-completed = Completed
order-state-failed = Failed
order-state-cancelled = Cancelled
order-failed-free = Nothing was charged.

## Account

account-tabs = Pages of your account
account-profile = Profile
change-password = Change password
change-password-lead = You stay signed in here; all other devices are signed out.
current-password = Present password
current-password-required = Enter your present password.
current-password-wrong = This is not your present password.
account-language = Language of pages and mails
account-zone = Time zone
account-zone-hint = Times on pages and in mails are told in it.
account-zone-unknown = There is no such time zone. Choose one of the list.
account-speech = Language and time
account-save = Save
account-back = Back to your account
account-consents = Your consents
account-consents-show = What you have agreed to
account-consents-asked = A text that members agree to has a new version.
consents-asked = The text below has changed since you agreed to it, or is new. Please read it. Your servers go on meanwhile, and we ask again when you next sign in.
consents-do = Agree
consents-later = Not now
consents-given = What you have agreed to
consents-version = Version
account-email-change = Change e-mail
account-email-waits = Waits to be confirmed: { $email }. Open the link that we have mailed there.
account-mobile = Mobile number
account-mobile-hint = With the country's code, such as +82 10 1234 5678. Leave it empty to remove the number. Your e-mail address is told of the change.
account-mobile-malformed = Write the mobile number with its country's code, such as +82 10 1234 5678.
account-mobile-change = Change mobile number
account-mobile-none = None
new-email = New e-mail address
new-email-hint = We mail a link there. The address counts once you have opened it and pressed the button.
new-email-required = Enter the new e-mail address.
new-email-malformed = Enter an e-mail address such as name@example.com.
new-email-duplicate = This is your e-mail address already.
new-email-too-many = This address has as many accounts as it may. Use another one.
new-email-lead = Until the new address is confirmed, mails go to the present one. It is told of the change.
new-email-do = Mail the link
new-email-confirm = Confirm your new e-mail address
new-email-confirm-text = Mails to your account go to this address from now on.
new-email-expired = This link was used already, was replaced by a newer one, or is too old. Sign in and change the address once more.
confirm-do-address = Confirm address
account-sessions = Signed-in devices
sessions-lead = Where somebody is signed in to your account now.
session-unknown = Unknown device
session-current = This device
session-started = signed in
session-used = last used
session-end = Sign out
sessions-end = Sign out all other devices
sessions-hint = If you see a device that is not yours, sign it out and change your password.
proof-title = Enter your password once more
proof-lead = This can only be done by the owner of the account. We do not ask again for ten minutes.
proof-password = Password
proof-password-required = Enter your password.
proof-password-wrong = This is not your password.
proof-do = Continue
account-two-step = Two-step verification
two-step-lead = Signing in takes your password and a code that an app on your phone shows. Whoever has only one of them does not get in.
two-step-is-off = It is off
two-step-is-on = It is on
two-step-since = Since
two-step-need = You need an authenticator app on your phone. Enter your password to begin.
two-step-begin = Set up two-step verification
two-step-waits = A set-up is under way. Go on with it.
two-step-scan = 1. Scan this picture with your app
two-step-picture = QR code for your authenticator app
two-step-open = Open in an app on this device
two-step-secret = If you can't scan it, enter this key in the app. The codes are time-based.
two-step-first-code = 2. Enter the code that the app shows
two-step-until = The picture is good until { $time }.
two-step-code = Code of the app
two-step-code-hint = Six digits; a new code is shown every 30 seconds.
two-step-code-required = Enter the code that the app shows.
two-step-code-wrong = This code is wrong. Check that the clock of your phone is right, and enter the next one.
two-step-on = Switch on
two-step-off = Switch off
two-step-cancel = Cancel
two-step-codes = Recovery codes
two-step-codes-left = { $count ->
    [one] { $count } is left
   *[other] { $count } are left
}
two-step-codes-hint = Each lets you in once when you do not have your phone.
two-step-codes-off = This service was restored from a backup. The recovery codes that you had do not work any more. Make new ones now.
two-step-renew = New recovery codes
two-step-renew-lead = New codes take the place of those that you have, which do not work any more then.
two-step-renew-do = Make new codes
two-step-off-title = Switch two-step verification off?
two-step-off-lead = Your password alone is then enough to sign in, and your recovery codes do not work any more.
recovery-codes-title = Your recovery codes
recovery-codes-shown-once = These codes are shown only now.
recovery-codes-lead = Print them or write them down, and keep them where you find them without your phone. Each lets you in once.
recovery-codes-kept = I have kept them
account-tokens = API tokens
tokens-lead = With a token your own programs use this service in your name. They are asked for neither password nor code, so keep tokens as you keep keys.
tokens-none = You have no tokens.
token-expired = Expired
token-off = Off
token-off-text = It was switched off when this service was restored from a backup, or with a second factor that was lost. Put it on again only if you have made it, and have not ended it since then.
token-enable = Put on again
token-only-from = Only from
token-created = made
token-expires = ends
token-used = last used
token-unused = never used
token-end = End
token-end-text = Programs that use { $name } are refused from now on.
token-end-do = End token
token-make = Make a token
token-name = Name
token-name-hint = What you use it for.
token-name-required = Give the token a name.
token-name-too-long = { $count ->
    [one] The name of the token must have at most { $count } character.
   *[other] The name of the token must have at most { $count } characters.
}
token-scopes = What it may do
token-scopes-hint = Choose as little as your program needs.
token-scopes-required = Choose what the token may do.
scope-read = Look at servers, orders and SSH keys
scope-servers = Order servers, and start, stop and restart them
scope-keys = Add, rename and remove SSH keys
scope-delete = Delete servers
scope-billing = Look at charges and invoices
token-days = Ends after
token-days-required = Choose when the token ends.
token-days-malformed = { token-days-required }
token-days-count = { $count ->
    [one] { $count } day
   *[other] { $count } days
}
token-networks = Only from these addresses
token-networks-hint = One address or network on a line, such as 203.0.113.0/24. Leave it empty to take the token from everywhere.
token-networks-malformed = Write addresses and networks such as 192.0.2.7 or 203.0.113.0/24, one on a line.
token-networks-too-many = These are too many addresses. Ten are possible.
token-made-title = Your new token
token-made-once = This token is shown only now.
token-secret = Token
token-made-lead = Copy it to where your program reads it. Whoever has it can do what you have chosen.
token-made-kept = I have kept it
tokens-how = How programs use tokens
tokens-how-text = They send the token in the header Authorization. Put it into TOKEN to try it:
tokens-no-address = Put the address of the API into API. Support tells it to you.
tokens-example-list = List your servers
tokens-example-restart = Restart a server
tokens-document = Everything that the API can do:
account-since = Member since
account-quota = Servers allowed at a time

## Failures

failure-not-found = Page not found
failure-forbidden = This is not allowed
failure-not-sent = The form was not carried out
failure-conflict = This is not possible right now
failure-too-many = Please wait a moment
failure-down = The service can't be reached
failure-internal = Something went wrong on our side
failure-bad-request = The request can't be read
failure-forgery = This form was not opened from this portal, or is too old. Nothing was done. Load the page again and send the form once more.
failure-forgery-home = The portal's own address is:
failure-kept = What you entered is kept. You can send it again.
failure-retry = Try again
failure-home = To the front page
failure-request = If you ask for help, name this request:
problem-bad-request = The request can't be read. Go back and try again.
problem-idempotency-key-missing = The request is incomplete. Load the page again and send it once more.
problem-unauthenticated = Please sign in first.
problem-bad-credentials = The ID or the password is wrong. After five wrong tries signing in is locked for 30 minutes.
problem-second-factor-required = To sign in, a code is needed as well.
problem-email-unconfirmed = Your e-mail address is not confirmed yet. Open the link that we have mailed you.
problem-token-scope = This can be done only by somebody who has signed in.
problem-approval-pending = Your account waits to be approved. A mail tells you when you can sign in.
problem-sign-up-rejected = Your sign-up was not approved. The reason is in the mail that we have sent you.
problem-account-suspended = The account is suspended: this can be done again once the suspension is over. The reason is in the mail that we have sent you.
problem-step-up-required = Please enter your password once more for this.
problem-not-your-role = This is for staff with another role.
problem-quota-exceeded = Your account's limit is reached. Delete something you no longer need, or ask support for more.
problem-not-found = There is no such page, or it is not yours to see.
problem-method-not-allowed = This page can't be used in this way.
problem-capacity-unavailable = There is no room for this server at the moment. Nothing was reserved or charged. Try a smaller plan or another data centre, or come back later.
problem-capacity-unreachable = The machines that have room for this server can't be reached at the moment. Nothing was reserved or charged. Try again in some minutes; another plan or data centre may be possible now.
problem-idempotency-conflict = The same order is still being worked on. Try again in a moment; it is not placed twice.
problem-invalid-state = This is not possible in the present state. The page shows it as it is now.
problem-billing-frozen = Billing is on hold at the moment. Try again later.
problem-billing-profile-required = Say first to whom your invoices are addressed, under Billing.
problem-price-changed = The price has changed since you asked for it. Nothing was ordered.
problem-quote-expired = This price was offered for a limited time, which is over. Nothing was ordered.
problem-link-expired = The link is no longer valid.
problem-sign-in-expired = The sign-in took too long. Please sign in again.
problem-too-large = That is more text than this form takes.
problem-unsupported-media-type = The request has a form that can't be read.
problem-idempotency-mismatch = This page was used for another order already. Load it again.
problem-validation-failed = Some fields need attention.
problem-account-locked = { $count ->
    [one] Too many wrong passwords. Signing in is possible again in { $count } minute.
   *[other] Too many wrong passwords. Signing in is possible again in { $count } minutes.
}
problem-rate-limited = { $count ->
    [one] That was too often. Try again in { $count } second.
   *[other] That was too often. Try again in { $count } seconds.
}
problem-rate-limited-minutes = { $count ->
    [one] That was too often. Try again in { $count } minute.
   *[other] That was too often. Try again in { $count } minutes.
}
problem-order-limit = { $count ->
    [one] You have ordered, or ordered and deleted, many servers in a short time. Nothing was ordered. Try again in { $count } minute, or ask support for a higher limit.
   *[other] You have ordered, or ordered and deleted, many servers in a short time. Nothing was ordered. Try again in { $count } minutes, or ask support for a higher limit.
}
problem-starting = { $count ->
    [one] The service has just been restarted and is still hearing from its machines. Nothing was ordered. Try again in { $count } second; your servers go on running.
   *[other] The service has just been restarted and is still hearing from its machines. Nothing was ordered. Try again in { $count } seconds; your servers go on running.
}
problem-starting-minutes = { $count ->
    [one] The service has just been restarted and is still hearing from its machines. Nothing was ordered. Try again in { $count } minute; your servers go on running.
   *[other] The service has just been restarted and is still hearing from its machines. Nothing was ordered. Try again in { $count } minutes; your servers go on running.
}
problem-internal = The mistake is ours and has been recorded. Please try again later.
problem-unavailable = The service does not answer at the moment. Your servers go on running. Please try again shortly.
problem-storage-full = Nothing can be saved at the moment; looking things up still works. Our operators can see this too.

## Field errors

field-required = Fill this in.
field-malformed = This does not have the right form.
field-check-digit = A digit of this number is wrong: please check it.
field-too-long = This is too long.
field-longer-than = { $count ->
    [one] Use at most { $count } character.
   *[other] Use at most { $count } characters.
}
field-wrong = This is not right.
field-taken = Somebody has this already.
field-too-short = This is too short.
field-weak = This password is easy to guess. Choose a longer or less common one.
field-contains-personal-data = The password must not contain your ID, name, e-mail address or mobile number.
field-outdated = The text has changed since you opened the page. Please read it again.
field-unknown = This is not offered. Choose one of the list.
field-reserved = This is reserved. Choose another.
field-private-key = This is a private key. Nobody but you may have it: make a new pair, and paste its public key, which is in the file that ends in .pub, or in the upper box of PuTTYgen.
field-unsafe-key = Keys of this kind are no longer safe. Make one with ssh-keygen -t ed25519.
field-several-keys = There are several keys here. Add one at a time.
field-key-options = Leave out what stands in front of the key: it begins with ssh-ed25519, ecdsa-…, sk-… or ssh-rsa.
field-certificate = This is a certificate. Paste the key itself: the .pub file without -cert in its name.
field-duplicate = You have this already.
field-too-many = That is more than allowed.
field-disk-too-small = This system does not fit on the plan's disk. Choose a larger plan.
field-sold-out = This plan is sold out at this data centre. Choose another plan or data centre.
field-invisible-characters = This has characters that cannot be seen. Type it anew instead of pasting it.
field-link = This must not contain a web address.
sign-up-id-required = Enter an ID.
sign-up-name-required = Enter your name.
sign-up-name-too-long = { $count ->
    [one] The name must have at most { $count } character.
   *[other] The name must have at most { $count } characters.
}
sign-up-name-link = The name must not contain a web address.
sign-up-name-invisible-characters = The name has characters that cannot be seen. Type it anew instead of pasting it.
sign-up-id-malformed = The ID needs 5 to 12 letters and digits, with at least one letter.
sign-up-id-too-short = { sign-up-id-malformed }
sign-up-id-too-long = { sign-up-id-malformed }
sign-up-id-taken = This ID is taken. Choose another.
sign-up-email-required = Enter your e-mail address.
sign-up-email-malformed = Enter an e-mail address such as name@example.com.
field-bad-domain = No mail can be sent to what stands after the @. Check it for a dot at its end, and for letters that only look right.
field-bad-mailbox = Mails cannot be sent to an address with such letters before the @. Use one with plain letters, digits and signs there.
sign-up-email-too-many = This address has as many accounts as it may. Use another one, or sign in.
sign-up-password-required = Enter a password.
sign-up-password-too-short = { $count ->
    [one] The password must have at least { $count } character.
   *[other] The password must have at least { $count } characters.
}
sign-up-accept-required = Accept the terms to go on.
sign-up-company-required = Enter the company's name.
sign-up-company-too-long = { $count ->
    [one] The company's name must have at most { $count } character.
   *[other] The company's name must have at most { $count } characters.
}
sign-up-company-link = The company's name must not contain a web address.
sign-up-company-invisible-characters = The company's name has characters that cannot be seen. Type it anew instead of pasting it.
sign-up-mobile-malformed = { account-mobile-malformed }
sign-up-accept-personal-data-required = Agree to the collection and use of personal data to go on.
caution-accept-required = Tick the box to confirm that you have read the cautions.
key-public-required = Paste a public key.
key-name-too-long = { $count ->
    [one] The name of the key must have at most { $count } character.
   *[other] The name of the key must have at most { $count } characters.
}
key-rename-required = Enter a name for the key.
key-rename-too-long = { $count ->
    [one] The name of the key must have at most { $count } character.
   *[other] The name of the key must have at most { $count } characters.
}
delete-type-required = Enter the server's name.
account-language-required = Choose a language.
account-zone-required = Choose a time zone.
key-public-malformed = This is not an OpenSSH public key. It is one line, such as: ssh-ed25519 AAAA… name
key-public-too-short = This RSA key is too short: it needs at least 3072 bits. Make a new one with ssh-keygen -t ed25519.
key-public-too-many = Your keys take up too much room together. Delete one, or use an Ed25519 key, which is short.
order-keys-required = Choose at least one SSH key, or paste one.
order-site-required = Choose a data centre.
order-image-required = Choose an operating system.
order-plan-required = Choose a plan.
field-proposal = { $value } is free.
order-name-required = Give the server a name.
order-name-malformed = Use lower-case letters, digits and hyphens, at most 63 and at least one letter; begin and end with a letter or digit.
order-name-too-long = { order-name-malformed }
order-name-reserved = Computers take this name for something else. Choose another.
order-name-taken = You have a server of this name already. Choose another.
delete-type-unknown = This is not the server's name. Nothing was deleted.
area-staff = Staff
nav-accounts = Accounts
staff-sign-in-lead = For the people who run this cloud. Customers sign in elsewhere.
staff-sign-in-help = No access, or your phone is lost? Ask an administrator for a new link.
staff-name = Staff ID
staff-name-required = Enter your staff ID.
staff-code = Code of the app
staff-code-hint = Six digits; a new code is shown every 30 seconds.
staff-code-required = Enter the code that the app shows.
staff-code-wrong = This code is wrong. Check that the clock of your phone is right, and enter the next one.
staff-role = Role
role-viewer = Viewer
role-support = Support
role-engineer = Engineer
role-billing = Billing
role-admin = Administrator
enrol-title = Set up your access
enrol-scan = Scan this picture with an authenticator app
enrol-do = Set up
enrol-expired = This link was used already, or is too old. Ask the administrator who gave it to you for another one.
notice-enrolled = Your access is set up. Sign in now, with the next code that the app shows.
notice-staff-acted = Done. It is noted below.
accounts-search = ID, name, e-mail, mobile number, or a server's address
staff-bad-credentials = The staff ID, the password or the code is wrong. A code counts once. After five wrong tries signing in is locked for 30 minutes.
staff-proof-title = Enter password and code once more
staff-proof-lead = What you want to do can't be taken back. We do not ask again for ten minutes.
staff-sessions-hint = If you see a device that is not yours, sign it out, and have an administrator set up your access anew.
accounts-search-required = Enter what to look for.
accounts-all = Show all accounts
account-id = ID
account-name = Name
account-email = E-mail
account-servers = Servers
account-created = Signed up
account-key = Account number
account-pending-email = Waits for its e-mail to be confirmed
account-pending-approval = Awaiting approval
account-active = In use
account-suspended = Suspended
suspended-debt = Your account is suspended, because something is owed. Your servers are shut down. You can't order, power servers or change SSH keys, and nothing is charged meanwhile.
suspended-balance = Your account is suspended, because your balance is used up. Your servers are shut down, and your billing page says how to go on. Until then you can't order, power servers or change SSH keys, and nothing is charged.
suspended-abuse = Your account is suspended, because your servers do harm to others. Their network is cut. You can't order, power servers or change SSH keys, and nothing is charged meanwhile.
suspended-since = Since { $time }.
suspended-reason = Reason: { $reason }
suspended-write = To end the suspension, or if you think that it is a mistake, write to
account-rejected = Rejected
account-erased = Erased
list-previous = Previous page
staff-locked = Sign-in
staff-locked-until = Locked until { $time } after wrong passwords or codes
staff-locked-not = Not locked
staff-unlock = Unlock sign-in
staff-unlock-lead = Whoever was locked out can try again at once. Make sure that it is the owner who asks.
staff-change-quota = Change the limit of servers
staff-change-quota-lead = How many servers this account may have at a time. Servers that it has stay.
staff-quota = Servers at most
staff-quota-required = Enter how many servers it may have.
staff-quota-malformed = Enter a whole number of servers.
staff-quota-too-many = An account can have at most 1,000 servers.
staff-reason = Reason
staff-reason-hint = One line, kept in the records: who asked, and why.
staff-reason-required = Say why.
staff-reason-malformed = Write the reason in one line.
staff-acts = What staff have done
staff-acts-none = Nothing yet.
staff-factors = Lost second factors
staff-factors-lead = Customers who have the password, but neither app nor recovery codes. A second factor is switched off once two of the staff have confirmed, and three days after the request. Until then its owner can end it by the mail that he got.
staff-factor-asked = Asked
staff-factor-off-from = Off from
staff-factor-expires = Over at
staff-factor-confirmed = Confirmed by
staff-factor-confirm = Confirm
staff-factor-confirm-lead = Confirm only if you have made sure yourself that it is the owner who asks. Two different people must; who was added to the staff less than 72 hours ago can't be the second.
staff-factor-reject = Reject
staff-factor-reject-lead = The second factor stays on. The owner is told that the request is over, and not why.
act-deed = What
act-by = By
act-at = When
deed-unlocked = Sign-in unlocked
deed-approved = Approved
deed-rejected = Rejected
deed-suspended = Suspended: { $cause }
deed-resumed = Suspension ended
deed-lost-factor-confirmed = Confirmed that the second factor is lost
deed-lost-factor-rejected = Rejected the request about a lost second factor
deed-quota-changed = Limit of servers: { $change }
deed-server-changed = Server: { $change }
deed-order-retried = Failed order placed once more: { $order }
deed-mail-retried = Mail tried again: { $mail }
deed-mail-dropped = Mail not sent: { $mail }
suspension-debt = debt
suspension-balance = balance used up
suspension-abuse = abuse
accounts-total = { $count ->
    [one] One account
   *[other] { $count } accounts
}
nav-attention = Needs a person
nav-hosts = Hosts
nav-failed-orders = Failed orders
nav-mails = Mails
nav-audit = Audit trail
list-nothing = There is nothing here.
attention-lead = What does not mend itself, the most urgent first.
urgency-now = Now
urgency-today = Today
urgency-soon = Soon
matter-urgency = When to act
matter-what = What
matter-subject = About
matter-advice = What to do
matter-store-behind = A host knows more than the store
matter-recovery-open = A restore is not finished
matter-billing-frozen = Billing is frozen: the clock is in doubt
matter-host-unrecorded = A host is in no record
matter-host-returned = A host that was declared lost is heard of again
matter-host-unfenced = A lost host is not confirmed to be off
matter-host-silent = A host is not heard of
matter-libvirt-away = libvirt does not answer on a host
matter-host-quarantined = A host is quarantined
matter-host-fault = A host reports a fault
matter-duty-failing = A duty of the service fails
matter-no-room = There is no room for another server
matter-certificate-ends = A host's certificate is about to end
matter-order-failed = An order failed
matter-mail-given-up = A mail could not be delivered
matter-capacity-doubted = A host says that it has more than was confirmed
matter-leak = A host has something that no record knows
act-owner = Owner
act-host = Host
host-free = Free memory
host-heard-at = Last heard
host-certificate = Certificate ends
host-cordon = No new servers
host-quarantined = Quarantined
host-silent = Silent
host-libvirt-away = libvirt does not answer
host-awaited = Awaited
host-joining = Joining
host-heard = In use
host-revoked = Revoked
host-lost = Lost
order-why = Why
order-failed-at = Failed
order-retried = Tried again
order-retried-yes = Yes
order-retried-no = No
failed-orders-lead = Nothing was charged for these, and their owners were told.
mail-kind = Kind
mail-since = Since
mail-answer = What the mail server said
mail-next = Next try
mail-waiting = Waiting
mail-given-up = Given up
mails-lead = What waits to be sent, and what was given up since the start of the service.
audit-lead = Every change, with who made it and why. Search by an id, the name of a host, or operator.
audit-actor = By (operator, system or an id)
audit-since = From ({ $zone })
audit-until = Before ({ $zone })
audit-number = Number
matter-account-waits = An account waits to be approved
notice-staff-done = Done.
staff-about = About
staff-server-detail = What is in its way
staff-server-number = Server number
staff-history = What has happened
staff-history-all = Show all of it in the audit trail
list-file = Save as CSV
list-of-one = Only a part is shown.
list-whole = Show all
list-deeds = What can be done
accounts-pending = Awaiting approval
staff-start-lead = The server boots from its disk.
staff-shutdown-lead = The operating system is asked to stop. Whoever is connected is cut off. The server is still charged.
staff-reboot-lead = The operating system is asked to restart. Whoever is connected is cut off until it is back.
staff-power-off-lead = The server stops at once, as if its plug was pulled. What programs have not written to the disk yet is lost, and files may be damaged.
staff-delete-lead = Server, addresses and data are out of its owner's reach at once, and charging ends. Its owner is told by mail.
staff-unfreeze = Let billing go on
staff-unfreeze-lead = Set the clock of the control plane right first: what is charged for goes on from the time that it shows now.
billing-clock = Clock of the control plane
billing-clock-now = It shows now
billing-clock-shown = It showed
billing-clock-expected = Expected about
billing-frozen-since = Last time known to be right
staff-retry-order = Try again
staff-retry-order-lead = The order is placed once more at the same price, as a new order. What was in its way should be mended before.
staff-retry-mail = Try again
staff-retry-mail-lead = The mail is tried at once. One that was given up waits again.
staff-drop-mail = Do not send
staff-drop-mail-lead = The mail is taken out and never sent. Nobody is told.
staff-retry-mails = Try all again
staff-retry-mails-lead = All mails that wait are tried at once.
staff-cordon = Give it no new servers
staff-cordon-lead = No new server is placed on this host. What is on it stays as it is.
staff-uncordon = Give it new servers again
staff-uncordon-lead = New servers are placed on this host again.
staff-release = End the quarantine
staff-release-lead = The host is served again. Before, make sure that one machine alone has its identity.
staff-accept-capacity = Accept its capacity
staff-accept-capacity-lead = All that the host says that it has counts from now on. Before, make sure that the machine was extended.
staff-revoke = Revoke the host
staff-revoke-lead = The host is refused from now on, for good. Its servers go on running, and nobody can manage them any more.
staff-lose = Declare the host lost
staff-lose-lead = For a machine that is gone for good. Its servers end, and their owners are told that everything on them is gone. Nobody is given their addresses until it is confirmed that the machine is off.
staff-replace = Replace the host
staff-replace-lead = For a host that has lost its identity, was off for more than a week or was installed anew. The machine that joins with the command takes its name, its addresses and its servers over. Servers that have run keep the disks that are on it; none is made anew.
staff-fence = Confirm that the machine is off
staff-fence-lead = You confirm that this machine is off or cut from the network, and will not come back with the addresses of its servers. They are given to others from then on. If it comes back, two machines answer for one address.
staff-type-host = To confirm, type the host's name:
staff-type-host-required = Enter the host's name.
staff-type-host-unknown = This is not the host's name. Nothing was done.
invite-title = Invite a host
invite-lead = Makes a command with which a machine joins: it works once, within ten minutes.
invite-name = Name of the host
invite-name-hint = Letters, digits, hyphens and dots.
invite-name-required = Enter a name for the host.
invite-name-malformed = A host's name has letters, digits, hyphens and dots only.
invite-name-taken = There is a host of this name already.
invite-site = Data centre
invite-site-required = Choose a data centre.
invited-once = The command is shown this once.
invited-command = Run this on the machine, as root, within ten minutes:
host-capacity = Has for servers
host-promised = Promised to servers
host-room = Free
host-load = In use now
host-version = Version of the agent
host-repairs = Put right since its start
host-claims = Says that it has
host-state-since = In this state since
host-number = Host number
host-servers = Its servers
host-faults = Faults
host-leaks = On it, and in no record
revoke-servers = Servers that are left alone
revoke-stranded = { $count ->
    [one] { $count } server
   *[other] { $count } servers
}
revoke-names = The first of them
member-kind = Kind of member
staff-waits-since = Waits since
staff-approve = Approve
staff-approve-lead = The account can be used from now on, and its owner is told by mail. Make sure that there is such a company.
staff-reject = Reject
staff-reject-lead = The account can never be used. Its ID stays taken; its owner can sign up again with the same address.
staff-reason-told = Reason
staff-reason-told-hint = One line, in its owner's language: he is told it by mail.
staff-reason-told-required = Say why.
staff-reason-told-malformed = Write the reason in one line.
staff-mail-confirmation = Mail the confirmation again
staff-mail-confirmation-lead = A new link that confirms the address is mailed there. The one before works no more.
staff-confirm-email = Confirm the e-mail
staff-confirm-email-lead = The address counts as confirmed without the mailed link. Make sure that it belongs to whoever asks.
staff-erase = Erase the account
staff-erase-lead = The person is taken out of the account for good, and can't be read any more, in no backup either. Orders and contracts stay, under a number that names nobody.
staff-type-login = To confirm, type the account's ID:
staff-type-login-required = Enter the account's ID.
staff-type-login-unknown = This is not the account's ID. Nothing was erased.
staff-reason-kept = Reason
staff-reason-kept-hint = One line, kept when the person is gone: do not name him.
staff-reason-kept-required = Say why.
staff-reason-kept-malformed = Write the reason in one line.
erasure-servers = Servers that must be gone before
erasure-keys = SSH keys that go
erasure-mails = Mails that are not sent
erasure-readable = Its data can be read
erasure-readable-yes = Yes, until it is erased
erasure-readable-no = No, its key is gone
deed-email-confirmed = E-mail confirmed by staff
deed-confirmation-mailed = Confirmation mailed again
deed-erased = Erased
staff-server-wanted = Is to be
staff-server-seen = Its host saw it
seen-absent = Not there
staff-suspend-debt = Suspend for debt
staff-suspend-debt-lead = Its owner can sign in and look, and change nothing. Its servers are shut down, and nothing is lost.
staff-suspend-abuse = Suspend for abuse
staff-suspend-abuse-lead = Its owner can sign in and look, and change nothing. Its servers run on, and their network is cut at once.
staff-resume = End the suspension
staff-resume-lead = The account can be used again, and its servers become what they were before. Its owner is told by mail.
staff-network-cut = Network
cut-asked = To be cut; its host has not said yet that it is
cut-observed = Cut, as its host says
matter-factor-waits = A customer has lost the second factor
advice-store-behind = Verify the audit trail by command (audit verify), then restore the newest backup.
advice-recovery-open = By command: recovery show, then recovery finish.
advice-billing-frozen = Find out who set the clock, set it right, then let billing go on.
advice-host-unrecorded = By command: recovery show, then recovery readmit or recovery dismiss.
advice-host-returned = Switch the machine off: it runs guests whose addresses are not theirs any more.
advice-host-unfenced = Make sure that the machine is off or cut from the network, then confirm it.
advice-host-silent = Look at the machine and its network; its servers run on if it does. If it is gone for good, declare it lost.
advice-libvirt-away = Look at libvirtd on the host (systemctl status libvirtd).
advice-host-quarantined = Make sure that one machine alone has its identity, then release it.
advice-host-fault = Its page says what; on the host, run innkeeper-agent check.
advice-duty-failing = The command duties says what failed; the log says more.
advice-no-room = Add a host, or another pool of addresses.
advice-certificate-ends = Find out on the host why its agent does not renew it.
advice-order-failed = Mend what is in the way, then try it again.
advice-account-waits = Look at what was entered, then approve or reject it.
advice-factor-waits = Find out whether it is the owner who asks, then confirm or reject it.
advice-mail-given-up = The list says why; then send it again, or do not send it.
advice-capacity-doubted = If the machine was extended, accept what it has; else find out why it says so.
advice-leak = Its page says what. Nothing removes it by itself.

## What is charged
billing-so-far = This month so far
billing-forecast = Expected for the whole month
billing-forecast-hint = If your servers stay as they are until the end of the month.
billing-as-of = Counted until
billing-none = Nothing is charged in this month so far
billing-none-text = A server is charged from the moment it is ready until you delete it.
billing-server = Server
billing-used = Used, h:min:s
billing-rate = Price an hour
billing-amount = Amount
billing-capped = The month's price is reached
billing-credited = { $time } not charged: the host was at fault
billing-first-hour = The first hour is charged whole.
billing-net = Sum before tax
billing-total = Total

## Invoices
nav-invoices = Invoices
invoices-none = There are no invoices yet
invoices-none-text = The first one is issued when the month is over in which your first server was ready.
invoice-number = Number
invoice-title = Invoice { $number }
invoice-month = Month
invoice-issued = Issued
invoice-due = To be paid until
invoice-open = Not paid yet
invoice-supplier = Issued by
invoice-account = Account
invoice-digest = Digest of the lines, taken when the invoice was issued:
invoice-state-open = To be paid
invoice-state-overdue = Overdue
invoice-state-paid = Paid

# Money.
payer-title = Invoice data
payer-lead = This stands on your invoices. Those that were issued stay as they are.
payer-first = This is asked once, before your first order. Then the order goes on.
payer-show = Show and change
payer-change = Change
payer-invoiced-to = Invoiced to
payer-as = Paying as
payer-individual = Individual
payer-corporate = Business
payer-to-individual = Pay as an individual
payer-to-corporate = Pay as a business, with a tax number
payer-who = Who pays
payer-name = Name
payer-name-required = Enter the name.
payer-business-name = Registered name of the business
payer-business-number = Business registration number or tax number
payer-business-number-hint = Korea: 10 digits. Taiwan: the unified business number of 8 digits. Elsewhere: your tax number, if there is one.
payer-business-number-required = Enter the number of the business: its invoices must have it.
payer-business-number-malformed = This does not have the form of the country's numbers: 10 digits in Korea, 8 in Taiwan.
payer-business-number-check-digit = A digit of this number is wrong: please check it.
payer-corporate-number = Corporate registration number
payer-corporate-number-hint = Companies in Korea only: 13 digits. Others leave it empty.
payer-corporate-number-malformed = A corporate registration number of Korea has 13 digits.
payer-corporate-number-wrong = Only companies in Korea have this number: leave it empty.
payer-representative = Representative
payer-address-title = Address
payer-country = Country
payer-country-choose = Choose a country
payer-country-required = Choose the country.
payer-postal-code = Postal code
payer-postal-code-malformed = A postal code has letters, digits, blanks and hyphens.
payer-address = Address
payer-address-hint = Street, building, city, as it is written in the country.
payer-address-required = Enter the address.
payer-contact-title = Contact
payer-contact = Contact person
payer-contact-hint = Who is asked about invoices.
payer-contact-required = Enter who is asked about invoices.
payer-mobile = Mobile number
payer-mobile-hint = With the country's code, such as +82 10 1234 5678. Of Korea and Taiwan 010-1234-5678 or 0912-345-678 will do.
payer-mobile-required = Enter a mobile number.
payer-mobile-malformed = Write the number with its country's code, such as +82 10 1234 5678.
payer-landline = Landline
payer-landline-malformed = Write the number with its country's code, such as +82 2 123 4567.
payer-emails = E-mail for tax invoices
payer-emails-hint = One address a line, five at most. The tax invoice goes there; our own mails go to the address of your account.
payer-emails-required = Enter an e-mail address.
payer-emails-malformed = One of these is no e-mail address.
payer-emails-too-many = Five addresses at most.
payer-kind-wrong = The account of a company pays as a business.
payer-changed = Last changed:
payer-save = Save
payer-save-and-order = Save and go on with the order
invoice-bill-to = Billed to
nav-statement = Statement
nav-months = Months
invoice-credited = Taken back by credit notes
invoice-state-credited = Credited
invoice-state-written-off = Written off
credit-notes = Credit notes
credit-note-line = Line { $line }
statement-lead = What you were charged and have paid, the newest first.
statement-owed = Owed
statement-credit = Credit
statement-credit-hint = Paid ahead; it pays what comes.
statement-none = Nothing was charged or paid yet
statement-entry = Entry
statement-name = Number or reference
statement-at = Date
statement-balance = Owed after it
statement-invoice = Invoice
statement-payment = Payment
statement-credit-note = Credit note
statement-write-off = Written off
months-lead = A month is closed by itself three days after its end. Closing it issues one invoice for each account that was charged something.
month-from = From
month-until = Until
fiscal-export = For the tax office (CSV)
usage-export = Usage (CSV)
revenue-export = Revenue (CSV)
nav-books = Trial balance
books-lead = What stands on each account of the ledger, of all customers together. Both sides have the same sum. Usage and revenue of a month are files on the page of months.
books-agree = The books agree with each other.
books-breaches = The books do not agree with each other
books-none = Nothing was posted yet.
books-account = Account
books-debit = Debit
books-credit = Credit
books-entries = Entries
ledger-receivable = Owed by customers
ledger-credit = Paid ahead by customers
ledger-revenue = Revenue
ledger-tax = Tax
ledger-bank = Received
ledger-write-off = Written off
ledger-promotion = Promotional credit that is left
ledger-promotion-expense = Cost of promotional credit
month-closed-at = Closed
month-closed = Closed
month-open = Over, not closed
month-goes-on = Goes on
month-accounts = Accounts
month-invoices = Invoices to be issued
staff-close-month = Close the month
staff-close-month-lead = The invoices are issued and mailed. They never change afterwards; what is wrong is taken back by credit notes.
staff-payment = Record a payment
staff-payment-lead = Money that came in by bank transfer. It pays the oldest open invoices; the rest is credit.
staff-credit = Credit note
staff-credit-lead = Takes back a part of a line, or all that is left of the invoice when no line is given. What was paid of it becomes credit. The owner is told.
staff-write-off = Write off
staff-write-off-lead = What is open is owed no more, and counts as a loss.
money-amount = Amount
money-amount-hint = Such as 12,000.
money-amount-required = Write how much came in.
money-amount-malformed = Write an amount such as 12,000, with no more decimals than the currency has.
money-amount-wrong = Write an amount above zero that a transfer can have.
money-reference = Reference
money-reference-hint = What names the transfer at the bank. The same one is recorded once.
money-reference-required = Write what names the transfer.
money-reference-malformed = Write one line of at most 64 characters.
money-reference-taken = A payment with this reference is recorded already.
money-line = Line
money-line-hint = The number of a line, from 1 on. Leave it empty to take back all that is left.
money-line-required = Write which line, or leave the amount empty too.
money-line-malformed = Write the number of a line.
money-line-unknown = The invoice has no such line.
money-line-wrong = That is nothing, or more than is left.
money-net = Amount before tax
money-net-hint = How much of that line is taken back. The tax on it is worked out.
money-net-required = Write how much is taken back.
money-net-malformed = Write an amount such as 1,500, with no more decimals than the currency has.
money-net-wrong = Write an amount that the line has.
nav-prices = Prices
prices-lead = What is ordered from now on costs this. Servers keep the price that they were ordered at.
prices-now = Prices now
prices-lists = Lists of prices
prices-no-lists = No list was imported yet: the configuration says what plans cost
prices-lines = Prices of this list
prices-by = Imported by
prices-coming = Coming
prices-in-force = In force
prices-past = Past
prices-import = Import prices
prices-import-lead = Each plan that is offered has a line. Amounts are before tax. You see what would change before anything does.
prices-list = List
prices-list-hint = As in a CSV file: plan, price an hour, and the most that a month costs.
prices-list-required = Write the list.
prices-list-malformed = This list is not right. Above stands which lines, and why.
prices-list-too-long = The list is too long.
prices-valid-from = Valid from
prices-valid-from-hint = Such as 2027-01-01 00:00. Leave it empty to have it valid at once.
prices-valid-from-malformed = Write day and time, such as 2027-01-01 00:00.
prices-valid-from-wrong = Prices begin now or later, within a year.
prices-valid-from-taken = There is a list from that moment on. Withdraw it first.
prices-at-once = At once
prices-check = See what would change
prices-check-title = What would change
prices-then = New
prices-same = As before
prices-confirm = Import these prices
staff-withdraw-prices = Withdraw the list
staff-withdraw-prices-lead = The prices before it stay in force.
notice-spending = The spending alert is changed.
spending-title = Spending alert
spending-lead = A mail, once a month, as soon as your month costs as much as this. Nothing is stopped by it.
spending-told = Last told in
spending-threshold = Amount with tax
spending-threshold-hint = Such as 100,000. Leave it empty to be told nothing.
spending-threshold-malformed = Write an amount such as 100,000, with no more decimals than the currency has.
spending-threshold-wrong = Write an amount above zero.
invoice-pay-to = Pay to
invoice-pay-name = Name the number { $number } in your transfer.

## The calculator
nav-calculator = Price calculator
calculator-lead = Choose a server and see what it costs a month. Put several choices on a list, to share it or to save it as a file.
calculator-nothing = There is nothing to choose at the moment
calculator-product = Product
calculator-quantity = Quantity
calculator-quantity-hint = From 1 to 999.
calculator-quantity-malformed = Write how many servers: a whole number from 1 to 999.
calculator-hours = Hours in the month
calculator-hours-hint = From 1 to 744. Leave it empty for a whole month.
calculator-hours-malformed = Write a whole number of hours from 1 to 744, or leave it empty for a whole month.
calculator-estimate = Estimate for a month
calculator-note = This is an estimate; the bill may differ.
calculator-month-hint = A whole month counts as 31 days, which are 744 hours. A server costs at most its plan's price a month.
calculator-calculate = Calculate
calculator-add = Add to the list
calculator-save = Change line { $line }
calculator-cancel = Leave it as it is
calculator-full = { $count ->
    [one] A list has at most one line. Remove one first.
   *[other] A list has at most { $count } lines. Remove one first.
}
calculator-cut = { $count ->
    [one] A list has at most one line. What this address has beyond that is left out.
   *[other] A list has at most { $count } lines. What this address has beyond that is left out.
}
calculator-unreadable = Line { $line } of this address can't be read. It is left out.
calculator-gone = No longer offered: { $line }
calculator-list = Your list
calculator-none = There is nothing on your list yet.
calculator-hours-each = Hours each
calculator-hours-count = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
calculator-whole-month = Whole month
calculator-amount = A month, before tax
calculator-order = Order this
calculator-change = Change
calculator-remove = Remove
calculator-day = Prices of
calculator-download = Save as Excel file
calculator-clear = Empty the list
calculator-share = Address of this list
calculator-share-hint = The whole list is in this address. Keep it as a bookmark, or give it to others.
calculator-sheet = Estimate
months-title = The last six months
months-average = Average a month
months-table = As a table
outage-host-lost = By a fault of ours the server does not run: the machine that ran it is lost. Nothing is charged for this time.

## Paying ahead
terms-prepaid = Pays ahead
terms-postpaid = Pays each invoice
terms-days = { $count ->
    [one] Pays each invoice within one day
   *[other] Pays each invoice within { $count } days
}
prepaid-title = Balance
prepaid-available = Available
prepaid-available-hint = What you can order with; a day of what you order and of what runs must be there.
prepaid-credit = Paid ahead
prepaid-used = Used, not invoiced yet
prepaid-burn = A day costs
prepaid-lasts = Lasts until
prepaid-lasts-hint = As your servers run now. When nothing is left they are shut down, and nothing is charged until you top up.
prepaid-lasts-not = Nothing is charged at the moment
prepaid-held = Held for servers that are being made
top-up-title = Top up
top-up-lead = Transfer any amount. It is here as soon as we have seen it at the bank.
top-up-reference = Name this with your transfer
problem-payment-required = There is not enough on your account for this: { $amount } are missing. Top up, as your billing page says, then order again. Nothing was ordered.
statement-overshoot = Used beyond the balance, not charged
staff-prepaid = Have it pay ahead
staff-prepaid-lead = From now on it orders and runs from what was paid ahead, and nothing beyond that. It must owe nothing, and have paid for a day of what it uses.
staff-postpaid = Days of payment
staff-postpaid-lead = From now on it pays each invoice after it was issued. Those that are issued already stay as they are.
money-days = Days
money-days-hint = Until so many days after its issue an invoice is to be paid. Leave it empty for the usual days.
money-days-malformed = Write a whole number of days from 1 to 366.
money-days-wrong = Write a whole number of days from 1 to 366.
deed-terms-changed = Changed how it pays: { $terms }
statement-refund = Refund
staff-refund = Pay back
staff-refund-lead = Money that was paid back by bank transfer, of what was paid ahead and is neither used nor held.
promotions-title = Promotional credit
promotions-until = Until { $time }
promotions-hint = It pays before what you have paid ahead, and is gone when it expires. What you used before then it still pays.
promotion-days = { $count ->
    [one] for one day
   *[other] for { $count } days
}
deed-promotion-granted = Granted promotional credit: { $grant }
statement-promotion = Promotional credit
statement-promotion-ended = Promotional credit expired
staff-promotion = Promotional credit
staff-promotion-lead = It pays before what was paid ahead, and is gone when it expires. The owner sees it at once.
money-grant = Amount
money-grant-hint = Such as 12,000.
money-grant-required = Write how much is granted.
money-grant-malformed = Write an amount such as 12,000, with no more decimals than the currency has.
money-grant-wrong = Write an amount above zero.
money-grant-too-many = The account has too many at a time. Wait until one is spent or has expired.
money-grant-days = Days
money-grant-days-hint = For so many days, from now on.
money-grant-days-required = Write for how many days.
money-grant-days-malformed = Write a whole number of days from 1 to 3,660.
money-grant-days-wrong = Write a whole number of days from 1 to 3,660.
money-grant-name = Name
money-grant-name-hint = What names it, such as a campaign. An account gets one of a name.
money-grant-name-required = Write what names it.
money-grant-name-malformed = Write one line of at most 64 characters.
money-grant-name-taken = The account has got one of this name already.

## Trial
trial-title = Trial
trial-left = Left
trial-ends = Ends
trial-hint = When it is used up or over, your server is shut down, and nothing is charged.
trial-convert = Go on and pay
trial-convert-lead = Agree to pay for what you use, from what you have paid ahead. What you have used beyond your trial you do not pay.
trial-accept = I agree that what I use from now on is paid from my balance once my trial is used up or over.
trial-accept-required = Agree to go on.
notice-trial-converted = You go on and pay from your balance. Top up before your trial is used up or over.
staff-trial = Trial
staff-trial-lead = Promotional credit for thirty days and one server. Nothing else is charged until its owner has agreed to pay. Once for each account, mail address and mobile number.
deed-trial-granted = Granted a trial: { $amount }
