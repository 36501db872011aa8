-- Sends the messages and presences of a host's users to RabbitMQ, over STOMP: see README.md.

local st = require "util.stanza";
local jid_bare = require "util.jid".bare;
local new_id = require "util.id".long;
local urlencode = require "util.http".urlencode;
local now = require "util.time".now;
local connect = require "net.connect".connect;
local new_resolver = require "net.resolvers.basic".new;

local broker_host = module:get_option_string("rabbitmq_host", "127.0.0.1");
local broker_port = module:get_option_number("rabbitmq_stomp_port", 61613);
local user = module:get_option_string("rabbitmq_user", "guest");
local password = module:get_option_string("rabbitmq_password", "guest");
local vhost = module:get_option_string("rabbitmq_vhost", "/");
local exchange = module:get_option_string("rabbitmq_exchange", "chat.events");
local most_bytes = module:get_option_number("rabbitmq_pending_bytes", 16 * 1024 * 1024);

-- Seconds. The broker is promised a sign of life every TICK, and gets one a little sooner.
local TICK, SILENCE = 5, 30;

-- What the broker has not confirmed: frames by number, the oldest is `first`.
local queue = { first = 1, last = 0, bytes = 0 };
local dropped = 0;
local count_dropped = module:measure("dropped", "counter");

-- "down", "opening" or "up"; `heard` is when the broker last said something, or was called.
local link, state, heard, buffer = nil, "down", 0, "";
local told; -- why the link was down when the log last said so

local function frame(command, headers, body)
	local lines = { command };
	for name, value in pairs(headers) do lines[#lines + 1] = name .. ":" .. value; end
	return table.concat(lines, "\n") .. "\n\n" .. (body or "") .. "\0";
end

-- Keeps a stanza until the broker has it, within the bound: a broker that is away must not take the
-- server's memory.
local function offer(stanza)
	local body = tostring(stanza);
	if queue.bytes + #body > most_bytes then
		count_dropped(1);
		dropped = dropped + 1;
		if dropped == 1 then
			module:log_status("error", "%d bytes wait for RabbitMQ; events are dropped until it takes some", queue.bytes);
		end
		return;
	end
	queue.last = queue.last + 1;
	local send = frame("SEND", {
		destination = "/exchange/" .. urlencode(exchange) .. "/xmpp." .. stanza.name;
		["content-type"] = "application/xmpp+xml";
		["content-length"] = #body;
		["amqp-message-id"] = new_id(); -- the same if it is sent again
		persistent = "true";
		receipt = queue.last;
	}, body);
	queue[queue.last] = send;
	queue.bytes = queue.bytes + #send;
	if state == "up" then link:write(send); end
end

local function confirmed(number)
	local send = queue[number];
	if not send then return; end
	queue[number] = nil;
	queue.bytes = queue.bytes - #send;
	while queue.first <= queue.last and not queue[queue.first] do queue.first = queue.first + 1; end
	module:log("debug", "RabbitMQ has confirmed event %d", number);
	if dropped > 0 and queue.bytes < most_bytes / 2 then
		module:log_status("warn", "RabbitMQ takes events again; %d were dropped", dropped);
		dropped = 0;
	end
end

local function down(why)
	if state == "down" then return; end
	local old = link;
	link, state, buffer = nil, "down", "";
	if why ~= told then module:log_status("warn", "no link to RabbitMQ (%s:%d): %s", broker_host, broker_port, why); end
	told = why;
	if old then old:close(); end
end

local function receive(text)
	local command, headers = text:match("^(%u+)\r?\n(.-)\r?\n\r?\n");
	local function header(name) return ("\n" .. (headers or "")):match("\n" .. name .. ":([^\r\n]*)"); end
	if command == "RECEIPT" then
		confirmed(tonumber(header("receipt%-id")));
	elseif command == "CONNECTED" then
		state, told = "up", nil;
		module:log_status("info", "linked to RabbitMQ (%s:%d)", broker_host, broker_port);
		for number = queue.first, queue.last do
			if queue[number] then link:write(queue[number]); end
		end
	elseif command == "ERROR" then
		down("it refused: " .. tostring(header("message")));
	end
end

local listeners = {};

function listeners.onconnect(conn)
	if state ~= "opening" or link then return conn:close(); end
	link = conn;
	conn:write(frame("CONNECT", {
		["accept-version"] = "1.2", host = vhost, login = user, passcode = password,
		["heart-beat"] = ("%d,%d"):format(2 * TICK * 1000, 2 * TICK * 1000),
	}));
end

function listeners.onincoming(conn, data)
	if conn ~= link then return; end
	heard, buffer = now(), buffer .. data;
	local stop = buffer:find("\0", 1, true);
	while stop and link do
		local text = buffer:sub(1, stop - 1):gsub("^[\r\n]+", ""); -- signs of life stand between frames
		buffer = buffer:sub(stop + 1);
		receive(text);
		stop = buffer:find("\0", 1, true);
	end
end

function listeners.ondisconnect(conn, why)
	if conn == link then down(why or "it closed the connection"); end
end

function listeners.onfail(_, why)
	down(why);
end

module:add_timer(0, function ()
	if state == "down" then
		state, heard = "opening", now();
		connect(new_resolver(broker_host, broker_port, "tcp"), listeners);
	elseif now() - heard > SILENCE then
		down("it is silent");
	elseif state == "up" then
		link:write("\n");
	end
	return TICK;
end);

-- After all who may refuse or change what a user sends.
for _, kind in ipairs { "message", "presence" } do
	for _, addressee in ipairs { "bare", "full", "host" } do
		module:hook("pre-" .. kind .. "/" .. addressee, function (event)
			local stanza = st.clone(event.stanza);
			stanza.attr.xmlns = "jabber:client";
			if kind == "message" and not stanza.attr.to then
				stanza.attr.to = jid_bare(stanza.attr.from); -- RFC 6120, section 10.3.1
			end
			offer(stanza);
		end, -1000);
	end
end

-- What waits outlives a reload, not a restart.
function module.save() return { queue = queue }; end
function module.restore(saved) queue = saved.queue or queue; end
function module.unload()
	local old = link;
	link, state = nil, "down";
	if old then old:close(); end
end
