-- Count a request by all counters or by none.
-- KEYS: for each counter its key now and its key of the window before.
-- ARGV: now and the lease, then for each counter kind, limit, weight of the window before, milliseconds to keep it.
-- Gives the number of the counter that is used up (0: none), then what was left of each.
local now, lease = tonumber(ARGV[1]), ARGV[2]
local result = {0}
for i = 1, #KEYS / 2 do
  local key, at, used = KEYS[2 * i - 1], 4 * i - 2, 0
  if ARGV[at + 1] == 'concurrent' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    used = redis.call('ZCARD', key)
  else
    local before = tonumber(redis.call('GET', KEYS[2 * i]) or 0) * tonumber(ARGV[at + 3])
    used = tonumber(redis.call('GET', key) or 0) + math.floor(before)
  end
  result[i + 1] = tonumber(ARGV[at + 2]) - used
  if result[1] == 0 and result[i + 1] < 1 then
    result[1] = i
  end
end
if result[1] == 0 then
  for i = 1, #KEYS / 2 do
    local key, at = KEYS[2 * i - 1], 4 * i - 2
    if ARGV[at + 1] == 'concurrent' then
      redis.call('ZADD', key, now + tonumber(ARGV[at + 4]) / 1000, lease)
      redis.call('PEXPIRE', key, ARGV[at + 4])
    elseif ARGV[at + 1] == 'requests' then
      redis.call('INCRBY', key, 1)
      redis.call('PEXPIRE', key, ARGV[at + 4])
    end
  end
end
return result
