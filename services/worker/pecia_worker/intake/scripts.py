"""What is done in Redis in one step each, in Lua: no crash can fall between the halves.

Every script takes the keys of `QueueKeys.all` in that order. Times are milliseconds by Redis's own clock,
so that the clocks of machines do not matter.
"""

_HEAD = """
local queue, processing, stamps = KEYS[1], KEYS[2], KEYS[3]
local attempts, pushes, dead, stream = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function held(id)
  local value = redis.call('HGET', pushes, id)
  if not value then return nil, 0 end
  local token, takes = string.match(value, '^(.-)|(%d+)$')
  return token or value, tonumber(takes or 0)
end
local function forget(id)
  redis.call('SREM', processing, id)
  redis.call('HDEL', stamps, id)
  redis.call('HDEL', attempts, id)
  redis.call('HDEL', pushes, id)
end
"""

# ARGV: token of a new push, most members of the processing set (0 = any number).
# Answers nil, or {id, token, takes}; an empty token: the id is in hand already, this one was a double.
# The id leaves the list last: whatever fails before that leaves it where it is.
TAKE = (
    _HEAD
    + """
local most = tonumber(ARGV[2])
if most > 0 and redis.call('SCARD', processing) >= most then return nil end
local id = redis.call('LINDEX', queue, 0)
if not id then return nil end
local token, takes = held(id)
if token and redis.call('SISMEMBER', processing, id) == 1 then
  redis.call('LPOP', queue)
  return {id, '', 0}
end
token, takes = token or ARGV[1], takes + 1
redis.call('HSET', pushes, id, token .. '|' .. string.format('%d', takes))
redis.call('SADD', processing, id)
redis.call('HSET', stamps, id, string.format('%d', now))
if type(redis.pcall('HINCRBY', attempts, id, 1)) == 'table' then
  redis.call('HSET', attempts, id, takes)
end
redis.call('LPOP', queue)
return {id, token, takes}
"""
)

# ARGV: id, token, id, token ... Answers how many are still under that token.
BEAT = (
    _HEAD
    + """
local ours = 0
for place = 1, #ARGV, 2 do
  local id = ARGV[place]
  if held(id) == ARGV[place + 1] and redis.call('SISMEMBER', processing, id) == 1 then
    redis.call('HSET', stamps, id, string.format('%d', now))
    ours = ours + 1
  end
end
return ours
"""
)

# ARGV: milliseconds, ids of members. Answers {id, stamp, token, takes} of those without a sign of life for
# so long. A member without a stamp, or with one of another world, gets one and has all its time.
STALE = (
    _HEAD
    + """
local limit, found = tonumber(ARGV[1]), {}
for place = 2, #ARGV do
  local id = ARGV[place]
  if redis.call('SISMEMBER', processing, id) == 1 then
    local stamp = redis.call('HGET', stamps, id)
    local at = tonumber(stamp or '')
    if not at or at > now + limit then
      redis.call('HSET', stamps, id, string.format('%d', now))
    elseif now - at >= limit then
      local token, takes = held(id)
      found[#found + 1] = {id, stamp, token or '', takes}
    end
  end
end
return found
"""
)

# ARGV: id, the stamp it was found with; or an empty one, and the token and number of a take that is given up
# without counting. Answers 1 = it is in the list again, 0 = somebody else was here first.
RETURN = (
    _HEAD
    + """
local id, stamp = ARGV[1], ARGV[2]
local token, takes = held(id)
if stamp == '' then
  if token ~= ARGV[3] or takes ~= tonumber(ARGV[4]) then return 0 end
  redis.call('HSET', pushes, id, token .. '|' .. string.format('%d', takes - 1))
elseif redis.call('HGET', stamps, id) ~= stamp then
  return 0
end
redis.call('SREM', processing, id)
redis.call('HDEL', stamps, id)
if not redis.call('LPOS', queue, id) then redis.call('RPUSH', queue, id) end
return 1
"""
)

# ARGV: id, token, channel, message (empty = say nothing), whether it is dead (1 or 0), most of the stream.
# Answers 1, or 0 = the backend has pushed the id again since: that push is somebody else's to end.
# Saying goes first, so that a Redis that refuses it refuses all. It is repeated when this is.
END = (
    _HEAD
    + """
local id, token, message = ARGV[1], ARGV[2], ARGV[4]
local current = held(id)
if current and current ~= token then return 0 end
if message ~= '' then
  redis.call('PUBLISH', ARGV[3], message)
  if stream then redis.call('XADD', stream, 'MAXLEN', '~', ARGV[6], '*', 'result', message) end
end
if current then
  forget(id)
  if ARGV[5] == '1' then
    redis.call('LREM', dead, 0, id)
    redis.call('RPUSH', dead, id)
  end
end
return 1
"""
)

# ARGV: id. It begins anew, with all its retries. Answers 1, or 0 = it is in hand: its worker or a reaper
# ends it. Members of the set that others left are not in hand.
REQUEUE = (
    _HEAD
    + """
local id = ARGV[1]
if held(id) then return 0 end
redis.call('LREM', dead, 0, id)
forget(id)
if not redis.call('LPOS', queue, id) then redis.call('RPUSH', queue, id) end
return 1
"""
)

# Touches every key and changes nothing: a cluster that keeps them in several places refuses it.
PROBE = "return redis.call('EXISTS', unpack(KEYS))"

# Answers {ids in the list, ids in hand, ids given up}.
COUNT = (
    _HEAD
    + """
return {redis.call('LLEN', queue), redis.call('SCARD', processing), redis.call('LLEN', dead)}
"""
)
