-- One request to one counter: the rules of ledger.rs, on Redis' own clock.
-- KEYS[1] the counter. ARGV: see redis_authority.rs, `arguments`.
local shape, window = ARGV[1], tonumber(ARGV[2])
local first, last = tonumber(ARGV[3]), tonumber(ARGV[4])
local bucket, usable, life = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local amount, burst = tonumber(ARGV[8]), tonumber(ARGV[9])
local id, node, want, nodes = ARGV[10], ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13])
local known_period, known_used, overdraft = ARGV[14], tonumber(ARGV[15]), tonumber(ARGV[16])

local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)
if shape == 'calendar' and (now < first or now >= last) then
  return { 0, micros }
end

local packed = redis.call('GET', KEYS[1])
local counter = packed and cmsgpack.unpack(packed)
local lost = not counter
local function fresh()
  return { shape = shape, window = window, first = first, last = last,
    used = 0, buckets = {}, arrival = 0, leases = {} }
end
counter = counter or fresh()
local same_rule = counter.shape == shape and counter.window == window
if same_rule and counter.first ~= 0 and counter.first == last then
  first, last = counter.first, counter.last
end
if not same_rule or counter.first ~= first or counter.last ~= last then
  counter = fresh()
end

local known
local leases = {}
for _, lease in ipairs(counter.leases) do
  if lease.ends > now then
    leases[#leases + 1] = lease
    if lease.id == id then known = lease end
  end
end
counter.leases = leases
local buckets = {}
for _, entry in ipairs(counter.buckets) do
  if entry[2] > 0 and (entry[1] + 1) * bucket > now - window then
    buckets[#buckets + 1] = entry
  end
end
counter.buckets = buckets
local index = bucket == 0 and 0 or math.floor((now + usable) / bucket)

local function taken()
  local sum = counter.used
  for _, entry in ipairs(counter.buckets) do sum = sum + entry[2] end
  return sum
end
local function count(permits)
  if shape ~= 'rolling' then
    counter.used = counter.used + permits
    return
  end
  for _, entry in ipairs(counter.buckets) do
    if entry[1] == index then
      entry[2] = entry[2] + permits
      return
    end
  end
  counter.buckets[#counter.buckets + 1] = { index, permits }
end
local function put_back(lease, unspent)
  if shape == 'calendar' then
    counter.used = math.max(0, counter.used - unspent)
  elseif shape == 'rolling' then
    for _, entry in ipairs(counter.buckets) do
      if entry[1] == lease.bucket then entry[2] = math.max(0, entry[2] - unspent) end
    end
  end
end
local function cost(permits)
  return math.ceil(permits * window * 1000 / amount)
end
local function remaining()
  if shape ~= 'rate' then return math.max(0, amount - taken()) end
  local ahead = math.max(0, counter.arrival - micros)
  local room = math.max(0, cost(burst) - ahead)
  return math.min(burst, math.floor(room * amount / (window * 1000)))
end

local changed = false
if shape == 'rate' and (counter.amount ~= amount or counter.burst ~= burst) then
  if counter.amount and counter.arrival > micros then
    local ahead = math.floor((counter.arrival - micros) * counter.amount / amount)
    counter.arrival = micros + math.min(ahead, cost(burst))
    changed = true
  end
  counter.amount, counter.burst = amount, burst
end
local granted = 0
if known then
  granted = known.granted
else
  if lost and shape == 'calendar' and known_period ~= '' and tonumber(known_period) == first then
    counter.used = known_used
  end
  for at = 17, #ARGV, 3 do
    for position, lease in ipairs(counter.leases) do
      if lease.id == ARGV[at] and lease.node == node then
        local spent = math.min(lease.granted, math.max(lease.spent, tonumber(ARGV[at + 1])))
        if ARGV[at + 2] == 'closed' then
          table.remove(counter.leases, position)
          put_back(lease, lease.granted - spent)
          changed = true
        else
          changed = changed or spent ~= lease.spent
          lease.spent = spent
        end
        break
      end
    end
  end
  local overdrawn = overdraft > 0 and shape ~= 'rate'
    and (known_period == '' or tonumber(known_period) == first)
  if overdrawn then count(overdraft) end
  local left = remaining()
  local share = math.max(1, math.floor(math.floor(left / 4) / math.max(1, nodes)))
  granted = math.min(want, share, left)
  if granted > 0 then
    if shape == 'rate' then
      counter.arrival = math.max(counter.arrival, micros) + cost(granted)
    else
      count(granted)
    end
  end
  if granted > 0 or overdrawn then
    changed = true
    counter.leases[#counter.leases + 1] =
      { id = id, node = node, granted = granted, spent = 0, ends = now + life, bucket = index }
  end
end

if changed then
  local keep = math.max(math.max(now, last) + 2 * window, now + life) - now
  redis.call('SET', KEYS[1], cmsgpack.pack(counter), 'PX', string.format('%.0f', keep))
end

local left = remaining()
local elsewhere = 0
for _, lease in ipairs(counter.leases) do
  if lease.node ~= node then elsewhere = elsewhere + lease.granted - lease.spent end
end
local reset
if shape == 'calendar' then
  reset = (last - now) * 1000
elseif shape == 'rolling' then
  reset = window * 1000
  local oldest
  for _, entry in ipairs(counter.buckets) do
    if not oldest or entry[1] < oldest then oldest = entry[1] end
  end
  if oldest then reset = ((oldest + 1) * bucket + window - now) * 1000 end
else
  reset = counter.arrival - micros
end
reset = math.max(0, reset)
local retry = 0
if left == 0 then
  retry = reset
  if shape == 'rate' then retry = math.max(0, counter.arrival + cost(1) - cost(burst) - micros) end
end
return { 1, micros, granted, left, taken(), elsewhere, first, reset, retry }
