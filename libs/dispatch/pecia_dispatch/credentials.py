"""What a call shows: whose it is, and who says so."""

import asyncio
from dataclasses import dataclass, replace

from pecia_identity.assertions import Signer, Statement, digest_of

from pecia_dispatch.call import Call, Metadata, metadata_of, request_name

ASSERTION = "x-pecia-assertion"
# Hashing this much takes a millisecond at most; more is done beside the event loop.
_AT_ONCE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key of this service, a key to sign with, both or neither."""

    own_key: str
    signer: Signer

    @property
    def ours(self) -> bool:
        """Whether a refusal is about this service, not about its caller."""
        return bool(self.own_key) or self.signer.signs

    def metadata(self, call: Call, said: Statement) -> Metadata:
        """What travels beside one try of a request. Where calls are signed, no caller's key is handed on."""
        if not self.signer.signs:
            return metadata_of(call, self.own_key)
        plain = metadata_of(replace(call, bearer=""), self.own_key)
        return (*plain, (ASSERTION, self.signer.sign(replace(said, request=request_name(call)))))

    async def statement(self, call: Call, method: str, *pictures: bytes) -> Statement:
        """What is signed of the pages; nothing is computed where nothing is signed."""
        if not self.signer.signs:
            return Statement(call.tenant, method)
        large = sum(map(len, pictures)) > _AT_ONCE_BYTES
        digest = await asyncio.to_thread(digest_of, *pictures) if large else digest_of(*pictures)
        return Statement(call.tenant, method, picture=digest)
