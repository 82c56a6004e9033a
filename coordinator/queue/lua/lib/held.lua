-- How many jobs of each tenant are held: counted only while some tenant has a cap, which the hash 'u' says by being there.
--
-- 1. Every job that gets a hold counts one more, every job that loses its hold one less, in the script that does so.
-- 2. Entries of a tenant at its cap stand in 'p:cap:<tenant>', and come back as its jobs end (bring_back).
local counting = nil
local held_change = {} -- tenant -> jobs more or less in this call

local function is_counting()
  if counting == nil then counting = call('EXISTS', P .. 'u') == 1 end
  return counting
end

local function count_held(tenant, jobs)
  if is_counting() then held_change[tenant] = (held_change[tenant] or 0) + jobs end
end

local function cap_key(tenant) return P .. 'p:cap:' .. tenant end
