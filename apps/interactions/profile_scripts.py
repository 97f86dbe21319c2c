"""What Redis does in one go with the values of profile_bytes. Each script is one round trip for any number of users."""

import hashlib
from typing import Any

import redis

from apps.interactions import profile_bytes as form
from apps.interactions.taste import RECORD_BYTES

_COMMON = f"""
local NO_MARK = string.rep('\\0', 8)
local function head(value)
  if value and #value >= 26 and string.byte(value, 1) == {form.VERSION} then
    local row, revision = struct.unpack('>i8i8', string.sub(value, 11, 26))
    return string.byte(value, 2), string.sub(value, 3, 10), row, revision
  end
  return {form.STUB}, NO_MARK, 0, 0
end
local function stub(mark, row, revision)
  return string.char({form.VERSION}, {form.STUB}) .. mark .. struct.pack('>i8i8', row, revision)
end
"""

# The value; where it names a person, that person's value too. KEYS: the value's. ARGV: what keys begin with.
GET = f"""
local value = redis.call('GET', KEYS[1])
if value and string.byte(value, 2) == {form.ALIAS} then
  return {{value, redis.call('GET', ARGV[1] .. string.sub(value, 27))}}
end
return value
"""

# Say that these are about to change. ARGV: mark, seconds that a stub lives.
MARK = (
    _COMMON
    + f"""
for _, key in ipairs(KEYS) do
  local kind, _, row, revision = head(redis.call('GETRANGE', key, 0, 25))
  if kind == {form.STUB} then
    redis.call('SET', key, stub(ARGV[1], row, revision), 'EX', ARGV[2])
  else
    redis.call('SETRANGE', key, 2, ARGV[1])
  end
end
"""
)

# Put what the database says, unless something newer is here. A mark stays, but not one whose maker is dead.
# ARGV: the dead mark, then for each key: row, revision, seconds to live, value.
PUT = (
    _COMMON
    + """
for i, key in ipairs(KEYS) do
  local at = 4 * i - 2
  local row, revision = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local _, mark, has_row, has_revision = head(redis.call('GETRANGE', key, 0, 25))
  if has_row < row or (has_row == row and has_revision <= revision) then
    if mark == ARGV[1] then mark = NO_MARK end
    local value = ARGV[at + 3]
    redis.call('SET', key, string.sub(value, 1, 2) .. mark .. string.sub(value, 11), 'EX', ARGV[at + 2])
  end
end
"""
)

# Users have changed, for good. Of a profile that is exactly one revision behind, new events become part; of anything
# older nothing is left but a stub, so that no old value can come back. The own mark goes, those of others stay.
# ARGV: own mark, seconds that a profile lives, that a stub lives; for each key: row, revision, packed new events.
ADVANCE = (
    _COMMON
    + f"""
local SIZE, MOST = {RECORD_BYTES}, {form.TASTE_BYTES}
local function time_of(records, number)
  return (struct.unpack('>i8', string.sub(records, number * SIZE - SIZE + 9, number * SIZE - SIZE + 16)))
end
local function merged(old, new)
  local olds, news = #old / SIZE, #new / SIZE
  if olds == 0 or time_of(new, news) >= time_of(old, 1) then
    return string.sub(new .. old, 1, MOST)
  end
  local parts, taken = {{}}, 0
  for n = 1, news do
    local time, low, high = time_of(new, n), taken + 1, olds + 1
    while low < high do
      local middle = math.floor((low + high) / 2)
      if time_of(old, middle) > time then low = middle + 1 else high = middle end
    end
    parts[#parts + 1] = string.sub(old, taken * SIZE + 1, (low - 1) * SIZE)
    parts[#parts + 1] = string.sub(new, n * SIZE - SIZE + 1, n * SIZE)
    taken = low - 1
  end
  parts[#parts + 1] = string.sub(old, taken * SIZE + 1)
  return string.sub(table.concat(parts), 1, MOST)
end
for i, key in ipairs(KEYS) do
  local row, revision, new = tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2]), ARGV[3 * i + 3]
  local value = redis.call('GET', key)
  local kind, mark, has_row, has_revision = head(value)
  local own = mark == ARGV[1] and mark ~= NO_MARK
  if own then mark = NO_MARK end
  if kind == {form.PROFILE} and has_row == row and has_revision == revision - 1 and new ~= '' then
    local _, name, segments = struct.unpack('>BHH', string.sub(value, 27, 31))
    local taste_at = 32 + name + segments
    value = string.sub(value, 1, 2) .. mark .. struct.pack('>i8i8', row, revision)
      .. string.sub(value, 27, taste_at - 1) .. merged(string.sub(value, taste_at), new)
    redis.call('SET', key, value, 'EX', ARGV[2])
  elseif kind == {form.STUB} or has_row < row or (has_row == row and has_revision < revision) then
    if has_row > row or (has_row == row and has_revision > revision) then
      row, revision = has_row, has_revision
    end
    redis.call('SET', key, stub(mark, row, revision), 'EX', ARGV[3])
  elseif own then
    redis.call('SETRANGE', key, 2, NO_MARK)
  end
end
"""
)

_DIGESTS = {text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for text in (GET, MARK, PUT, ADVANCE)}


def run(client: redis.Redis, script: str, keys: list[bytes], *arguments: Any) -> Any:
    """What the script answers. One round trip, two where Redis does not know it yet. Raises redis.RedisError."""
    try:
        return client.evalsha(_DIGESTS[script], len(keys), *keys, *arguments)
    except redis.exceptions.NoScriptError:
        return client.eval(script, len(keys), *keys, *arguments)
