-- Of a test: its clients write no TLS, since it is not about that, and all of it stays on this machine.
interfaces = { "127.0.0.1" }
c2s_ports = { @C2S@ }
c2s_require_encryption = false
authentication = "internal_plain"
data_path = "@FOLDER@"
plugin_paths = { "@MODULES@" }
modules_enabled = { "disco", "roster", "saslauth", "carbons", "rabbitmq_events" }
modules_disabled = { "s2s", "s2s_auth_certs", "http", "posix" }
log = { debug = "*console" }
run_as_root = true -- in a container

rabbitmq_stomp_port = @STOMP@
rabbitmq_exchange = "@EXCHANGE@"

VirtualHost "localhost"
Component "conference.localhost" "muc"
