-- A dissector that misbehaves at one frame, for tests of worker processes: WIRESHARK_TEST_TROUBLE="SEGV 7" and the like.
local trouble, wanted = string.match(os.getenv("WIRESHARK_TEST_TROUBLE") or "", "^(%a+) (%d+)$")
local proto = Proto("wishpytest", "Trouble for wishpy's tests")

function proto.dissector(tvb, pinfo, tree)
    if trouble == nil or pinfo.number ~= tonumber(wanted) then
        return
    end
    if trouble == "LOOP" then
        while true do end
    elseif trouble == "MEMORY" then
        local all = {}
        while true do
            all[#all + 1] = string.rep("x", 100000) .. #all
        end
    elseif trouble == "EXIT" then
        os.exit(3)
    else
        os.execute("kill -" .. trouble .. " $PPID")
        while true do end
    end
end

register_postdissector(proto)
