"""Whether what a Secret holds can be somebody's password. Used by ``secrets``."""

import unicodedata

from sensorthings_operator.desired.basic import PASSWORD_CHARACTERS, Account


def unusable(account: Account, password: str) -> str | None:
    """Why FROST-Server could not compare it with what a client sends; None where it could."""
    where = f"key {account.key} of Secret {account.secret}"
    if any(unicodedata.category(character) == "Cc" for character in password):
        return (
            f"{where} holds a line break or another control character, which HTTP does not allow: take it out "
            "(echo ends what it writes with one, printf does not)"
        )
    if len(password) > PASSWORD_CHARACTERS:
        return f"{where} holds more than {PASSWORD_CHARACTERS} characters: choose a shorter password"
    return None
