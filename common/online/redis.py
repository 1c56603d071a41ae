"""The online store in Redis: one hash per generation of a view, and one hash that points to the current generation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from common.errors import LockedError
from common.online.row_codec import Pair, decode
from common.online.store import CHUNK, Store, client_library, unreachable

WAIT_SECONDS = 10
# Reads the pointer and the row in one step. Nil means no such view, an empty list no such entity.
GET = """
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation then return nil end
local content = redis.call('HGET', KEYS[1] .. ':' .. generation, ARGV[1])
if content then return {content} else return {} end
"""
# Removing the generation from the register makes a load that is still running fail.
REMOVE = """
local current = redis.call('HGET', KEYS[1], 'generation')
for _, generation in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if tonumber(generation) <= tonumber(ARGV[1]) and generation ~= current then
    redis.call('SREM', KEYS[2], generation)
    redis.call('UNLINK', KEYS[1] .. ':' .. generation)
  end
end
"""


class RedisStore(Store):
    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._redis = client_library("redis", "redis")
        try:
            self.client: Any = self._redis.Redis.from_url(
                address, decode_responses=True, socket_connect_timeout=WAIT_SECONDS
            )
            self.client.ping()
        except (self._redis.RedisError, ValueError) as error:
            raise unreachable(address, error) from None
        self._read, self._remove = map(self.client.register_script, (GET, REMOVE))

    def close(self) -> None:
        self.client.close()

    def begin(self, view: str) -> int:
        generation: int = self.client.incr(_loads(view) + ":last")
        self.client.sadd(_loads(view), generation)
        self._remove_old(view, generation - 1)
        return generation

    def put(self, view: str, generation: int, pairs: list[Pair]) -> None:
        if not pairs:
            return

        def put(steps: Any) -> None:
            if not steps.sismember(_loads(view), generation):
                raise self.overtaken(view)
            steps.multi()
            steps.hset(_rows(view, generation), mapping=dict(pairs))

        # redis-py retries when another load changed the register meanwhile.
        self.client.transaction(put, _loads(view))

    def publish(self, view: str, generation: int, facts: str) -> None:
        def point(steps: Any) -> None:
            if not steps.sismember(_loads(view), generation):
                raise self.overtaken(view)
            if loaded := steps.hget(_view(view), "facts"):
                self.require_newer(view, decode(loaded), decode(facts))
            steps.multi()
            steps.hset(_view(view), mapping={"generation": generation, "facts": facts})

        self.client.transaction(point, _loads(view), _view(view))

    def _remove_old(self, view: str, newest: int) -> None:
        self._remove(keys=[_view(view), _loads(view)], args=[newest])

    def _erase(self, view: str, key: str, facts: str | None) -> int:
        current = self.client.hget(_view(view), "generation")
        generations = {*self.client.smembers(_loads(view)), current} - {None}
        gone = sum(self.client.hdel(_rows(view, int(generation)), key) for generation in generations)
        if facts is not None:
            self.client.hset(_view(view), "facts", facts)
        return int(gone)

    def _get(self, view: str, key: str) -> str | None:
        contents: list[str] | None = self._read(keys=[_view(view)], args=[key])
        if contents is None:
            raise self.never_loaded(view)
        return contents[0] if contents else None

    def _facts(self, view: str) -> str:
        facts: str | None = self.client.hget(_view(view), "facts")
        if facts is None:
            raise self.never_loaded(view)
        return facts

    def _texts(self, view: str) -> Iterator[Pair]:
        generation = int(self.client.hget(_view(view), "generation"))
        rows = _rows(view, generation)
        seen: set[str] = set()  # a scan may return a row twice
        for entity, content in self.client.hscan_iter(rows, count=CHUNK // 10):
            if entity not in seen:
                seen.add(entity)
                yield entity, content
        if self.client.hget(_view(view), "generation") != str(generation):
            raise LockedError(f"{view!r} was loaded again while its rows were being read; read them again")


# The braces (a hash tag) keep all keys of a view on one node of a Redis cluster.
def _view(view: str) -> str:
    return f"online:{{{view}}}"


def _rows(view: str, generation: int) -> str:
    return f"{_view(view)}:{generation}"


def _loads(view: str) -> str:
    return f"{_view(view)}:loads"
