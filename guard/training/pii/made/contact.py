"""How people are reached and log in: telephone, e-mail, user names, passwords, profile pages."""

from __future__ import annotations

import re
import string

from guard.training.pii.made.document import Document, Person, Value
from guard.training.pii.made.draw import in_words, table

_SIGNS = string.ascii_letters + string.digits + "!@#$%^&*_-+=?"
_SAID = str.maketrans({"@": " at ", ".": " dot ", "_": " underscore ", "-": " dash "})


def phone(doc: Document, variant: str, number: str) -> str:
    """A telephone number of the document's country, or of the variant's."""
    if variant == "spoken":
        return doc.spoken(doc.formatted("PHONE", "us" if doc.maybe(0.6) else "uk"))
    if variant == "plain":
        return re.sub(r"\D", "", doc.formatted("PHONE"))
    if variant == "ext":
        return doc.formatted("PHONE") + doc.pick((" ext. ", " x", " ext ", ", ext. ", "-")) + doc.shaped("$##")
    if not variant and doc.maybe(0.05):
        return doc.shaped("$$#-####")
    return doc.formatted("PHONE", "any" if variant == "intl" else variant)


def email(doc: Document, variant: str, number: str) -> str:
    """An e-mail address, mostly of somebody named in the document."""
    words = table("words")
    if number or doc.maybe(0.7):
        local = _of(doc, doc.somebody(number), "mailbox")
    else:
        local = doc.pick((_handle(doc), "info", "office", "sales", doc.pick(words["words"]) + doc.shaped("##")))
    if variant == "upi":
        return f"{local}@{doc.pick(('okaxis', 'ybl', 'oksbi', 'paytm', 'upi'))}"
    if not variant and doc.maybe(0.05):
        local += "+" + doc.pick(("shop", "news", "spam", "test", "bank"))
    host = doc.pick(words["company_hosts" if variant == "work" or doc.maybe(0.35) else "mail_hosts"])
    address = f"{local}@{host}"
    if variant == "upper":
        return address.upper()
    if variant == "spoken":
        return address.translate(_SAID)
    return address.replace("@", doc.pick((" [at] ", "(at)", " AT "))) if not variant and doc.maybe(0.03) else address


def username(doc: Document, variant: str, number: str) -> str:
    """A name to log in with, or a handle."""
    person = doc.somebody(number)
    if variant == "corp":
        return _of(doc, person, "login")
    if variant == "spoken":
        return f"{person.plain[0]} {doc.pick(table('words')['words'])} {in_words(doc.number(10, 99))}"
    handle = _handle(doc)
    if variant == "gamer":
        leet = handle.replace("e", "3").replace("a", "4")
        return doc.pick(
            (handle, handle.upper(), f"xX_{handle}_Xx", leet, f"{handle}TTV", f"{handle}#{doc.number(1000, 9999)}")
        )
    return handle if doc.maybe(0.25) else _of(doc, person, "user")


def password(doc: Document, variant: str, number: str) -> str:
    """A password: weak, made of words, or random; or a PIN."""
    words = table("words")["words"]
    if variant in ("pin", "pin_spoken"):
        return doc.formatted("PIN") if variant == "pin" else doc.spoken(doc.shaped("####"))
    if variant == "spoken":
        return f"{doc.pick(words)} {doc.pick(words)} {in_words(doc.number(10, 99))}"
    share = doc.random.random()
    if variant == "weak" or share < 0.25:
        return _of_words(doc, "weak")
    if share < 0.4:
        return "-".join(doc.pick(words) for _ in range(doc.number(3, 4)))
    if share < 0.65:
        one, two = doc.pick(words).title(), doc.pick(words).title()
        leet = one.replace("e", "3").replace("a", "@")
        digits = doc.shaped("##")
        return doc.pick((f"{one}!{digits}{two}", f"{leet}#{digits}", f"{one}{digits}$", f"{two[:3]}_{one}{digits}"))
    return "".join(doc.pick(_SIGNS) for _ in range(doc.number(8, 18)))


def profile(doc: Document, variant: str, number: str) -> Value:
    """An address of the web; the user name, mail address or password in it is what counts."""
    person, host = doc.somebody(number), doc.pick(table("words")["company_hosts"])
    user = (_handle(doc) if doc.maybe(0.3) else _of(doc, person, "profile"), "USERNAME")
    if variant == "creds":
        secret = re.sub(r"[^A-Za-z0-9]", "", password(doc, "weak", "")) + doc.shaped("#")
        scheme, path = doc.pick(("https", "ftp", "http", "postgres")), doc.pick(("/", "/repo.git", ":8443/data", ""))
        return (f"{scheme}://", ""), user, (":", ""), (secret, "PASSWORD"), (f"@{host}{path}", "")
    if variant == "query":
        page, key = doc.pick(("login", "unsubscribe", "verify", "reset")), doc.pick(("user", "u", "email", "name"))
        mail = (f"{_of(doc, person, 'mailbox')}@{doc.pick(table('words')['mail_hosts'])}", "EMAIL")
        return (f"https://{host}/{page}?{key}=", ""), doc.pick((user, mail)), (f"&t={doc.shaped('%{8}')}", "")
    before, _, after = doc.pick(table("forms")["pages"]).replace("{host}", host).partition("{user}")
    return (before, ""), user, (after, "")


def _of(doc: Document, person: Person, form: str) -> str:
    """Something made of a person's name."""
    first, last = person.plain
    return doc.shaped(doc.pick(table("forms")[form]).format(f=first, l=last, fi=first[0], li=last[0]))


def _handle(doc: Document) -> str:
    return _of_words(doc, "handle")


def _of_words(doc: Document, form: str) -> str:
    words = table("words")
    one, two, month = doc.pick(words["words"]), doc.pick(words["words"]), doc.pick(words["months"])
    return doc.shaped(
        doc.pick(table("forms")[form]).format(one=one, two=two, One=one.title(), Two=two.title(), month=month)
    )


VALUES = {
    "PHONE": phone,
    "EMAIL": email,
    "USERNAME": username,
    "PASSWORD": password,
    "URL_WITH_USER": profile,
}
