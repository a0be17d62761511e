"""Short texts as raw deflate streams, begun with a dictionary of common English that no dataset enters."""

from __future__ import annotations

import zlib

from ddbench.errors import ArtifactError

COMMON = (
    b"0123456789. something everything nothing anything another through without because between against those under "
    b"being while where should could would might must shall never always again world years government different number "
    b"system general science history English American computer program question answer problem money woman women "
    b"children person people place house great small little large right first second thing things think thought know "
    b"known knows said says tell told make makes made take takes taken come comes came find found give given want need "
    b"work works good better best bad life love death time day night year man men God mind heart hand eyes head word "
    b"words old new long last next own other others every each many much most more less same such only even just also "
    b"well very too still then than here there their them they these this that what when which who whom whose whether "
    b"why how have has had having been are were was will can cannot can't don't doesn't isn't didn't won't you're it's "
    b"I'm I've one two three ten hundred thousand after before down over into onto from about upon out off up by at as "
    b"an or if so no not but we you your he she his her him our us me my it its is be do does did all any some "
    b"ation ments ness less able ible tion ing ings ed er est ly ity ous ful ive al es s, s. e. The A In It You He If "
    b"There is no That is What is Why do they -- , and , but , the , who it is is a is the to be to the in the of the "
    b"of a on the for the and the at the with the from the by the that the as a in a and a to a with a you can I am "
    b"do not of of to and in that the a the "
)
"""ddbench's own list, the likeliest last: deflate reaches back 32 kilobytes, and near matches are the cheapest."""
_RAW = -15


def packed(text: bytes) -> bytes:
    """The stream of a text: raw deflate (RFC 1951), the dictionary in front of it."""
    stream = zlib.compressobj(9, zlib.DEFLATED, _RAW, 9, zlib.Z_DEFAULT_STRATEGY, COMMON)
    return stream.compress(text) + stream.flush()


def unpacked(stream: bytes, most: int, item: int) -> bytes:
    """The text of a stream, whatever follows it. Raises: ArtifactError where it is damaged or longer than `most`."""
    inflate = zlib.decompressobj(_RAW, COMMON)
    try:
        text = inflate.decompress(stream, most + 1)
    except zlib.error as error:
        raise ArtifactError(f"The stream of item {item} is damaged: {error}. The set has to be made anew.") from error
    if len(text) > most or not inflate.eof:
        raise ArtifactError(f"The stream of item {item} should hold up to {most} bytes of text; it does not.")
    return text


def packed_within(text: bytes, room: int) -> bytes:
    """The stream of the longest beginning of a text that takes up to `room` bytes, of at least 2."""
    low, high = 0, len(text)
    best = packed(text)
    if len(best) <= room:
        return best
    best = packed(b"")
    while low < high:
        middle = (low + high + 1) // 2
        stream = packed(text[:middle].decode("utf-8", "ignore").encode("utf-8"))
        if len(stream) <= room:
            low, best = middle, stream
        else:
            high = middle - 1
    return best
