# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_wsecho_global_optspecs
    string join \n listen= subprotocol= origin= max-connections= max-message-size= max-fragments= buffer-budget= handshake-timeout= ping-interval= ping-timeout= stall-timeout= close-timeout= drain-delay= drain-timeout= reuse-port workers= deflate= inflaters= tls-cert= tls-key= tls-self-signed= tls-client-ca= coalesce= room-history= bus= bus-ca= bus-required trust-proxy= auth-tokens= metrics-open max-connections-per-ip= handshake-rate= message-rate= byte-rate= max-lifetime= mirror-secrets no-status no-fallback v/verbose log-format= welcome= reply= delay= jitter= rate= fragment= ping= no-pong close= reason= drop= after= at= refuse= mirror allow-behaviour= exact h/help V/version
end

function __fish_wsecho_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_wsecho_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_wsecho_using_subcommand
    set -l cmd (__fish_wsecho_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c wsecho -n "__fish_wsecho_needs_command" -l listen -d 'Where to listen, may be repeated: see ADDR below; port 0 lets the system choose. By default all addresses, IPv6 and IPv4 [default: :8080]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l subprotocol -d 'Subprotocol to accept, may be repeated; the first of the client\'s that is named is chosen. * accepts any; none, alone, accepts none [default: *]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l origin -d 'Origin of web pages to allow, such as https://example.org, may be repeated; others get 403. By default all are allowed' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l max-connections -d 'Maximum number of connections; others get 503. By default what the limits on descriptors and memory allow' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l max-message-size -d 'Maximum length of a message, 0 for no limit; a longer one is answered with Close 1009 [default: 64MiB]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l max-fragments -d 'Maximum number of frames in a message; more are answered with Close 1008 [default: 131072]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l buffer-budget -d 'Maximum memory for what is kept for all clients together, at least 232KiB; less by default where the cgroup has little [default: 64MiB]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l handshake-timeout -d 'Time for a request to arrive, counted from accept, 0 for no limit [default: 10s]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l ping-interval -d 'Time without traffic after which the server sends a ping, 0 for no pings [default: 25s]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l ping-timeout -d 'Time to wait for the answer to a ping of --ping-interval, 0 for no limit [default: 30s]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l stall-timeout -d 'Maximum time without progress inside a frame or in a blocked write, 0 for no limit [default: 1m]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l close-timeout -d 'Maximum time for the client to close after the server\'s Close frame or HTTP response [default: 5s]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l drain-delay -d 'Time from SIGTERM or SIGINT to the drain; open connections go on, /healthz and handshakes get 503 [default: 0ms]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l drain-timeout -d 'Maximum time for connections to close once the drain has begun; then the process ends [default: 5s]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l workers -d 'Start so many processes, or auto for one for each processor, which share the listeners, and restart one that dies. Limits are those of each' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l deflate -d 'permessage-deflate: on, takeover or off. With takeover a connection that has sent a compressed message keeps an inflater, 47 KiB; otherwise it keeps nothing [default: on]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l inflaters -d 'Maximum number of compressed messages in progress at one time, 47 KiB each; further ones wait [default: 256]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l tls-cert -d 'Certificate for wss://, PEM: the server\'s own, then the intermediate ones' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l tls-key -d 'Private key of --tls-cert, PEM' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l tls-self-signed -d 'To try wss:// out, make a certificate for NAME at each start, localhost by default, and log its fingerprint' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l tls-client-ca -d 'Require a certificate of wss:// clients, signed by an authority in FILE, PEM' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l coalesce -d 'How long a message may wait for others to the same member, so that one write sends them all; at most 100ms, 0 for no wait [default: 0ms]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l room-history -d 'What a room keeps for those who join later: the last N messages of a chat, 0 to 1000, and of a chat or drawing board at most BYTES of memory, up to 128KiB. 0 keeps nothing [default: 50,64KiB]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l bus -d 'Share rooms with all processes that name the same Redis or Valkey: see URL below. The variable keeps a password out of ps' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l bus-ca -d 'Certificates that have signed that of a rediss:// bus, or are it, PEM' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l trust-proxy -d 'Network of proxies whose Forwarded or X-Forwarded-For names the client, such as 10.0.0.0/8, or unix for Unix sockets; may be repeated. By default there is none' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l auth-tokens -d 'Admit only clients with a token: a line of FILE is a name and the SHA-256 of a token in hex. SIGHUP reloads it. /healthz stays open' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l max-connections-per-ip -d 'Maximum number of connections from one address, IPv6 by its first 64 bits; more get 429. By default there is no limit' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l handshake-rate -d 'Maximum rate of connections of one address, such as 10 (a second) or 30/m; more get 429. By default there is no limit' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l message-rate -d 'Maximum rate of messages from a connection, such as 100 (a second) or 30/m; further ones are read later. By default there is no limit' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l byte-rate -d 'Maximum bytes a second from a connection; further ones are read later. By default there is no limit' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l max-lifetime -d 'Maximum age of a connection, less up to a tenth at random; then it gets Close 1012. 0 for no limit [default: 0ms]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l log-format -d 'Format of the log on stderr: text, or json for one object a line [default: text]' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l welcome -d 'First message to each client' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l reply -d 'Reply to text messages; may contain {message}, {time}, {count}, {id} and {peer}' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l delay -d 'Delay before each reply, at most 10m' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l jitter -d 'Random extra delay before each reply, at most this long' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l rate -d 'Maximum bytes per second to each client' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l fragment -d 'Payload bytes in each frame of a reply, 1 to 32768' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l ping -d 'Interval between pings, 100ms to 10m; 0 for none' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l close -d 'Close each connection with this close code, at once or as --after or --at says' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l reason -d 'Reason to send with the close code, at most 123 bytes' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l drop -d 'Drop the TCP connection without a Close: with a reset (rst) or in order (fin)' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l after -d 'Close or drop after this many replies' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l at -d 'Close or drop this long after the handshake, at most 10m' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l refuse -d 'Refuse each handshake with this HTTP status, 400 to 599' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l allow-behaviour -d 'Parameter that a query may set, may be repeated; none for no parameter. By default all' -r
complete -c wsecho -n "__fish_wsecho_needs_command" -l reuse-port -d 'Share all ports with other processes of the same user that do so too, and leave them to those at the end. For one port: ,reuse-port'
complete -c wsecho -n "__fish_wsecho_needs_command" -l bus-required -d 'Do not start without the bus; by default rooms are local until it is there'
complete -c wsecho -n "__fish_wsecho_needs_command" -l metrics-open -d 'Answer /metrics without a token as well'
complete -c wsecho -n "__fish_wsecho_needs_command" -l mirror-secrets -d 'Show the values of Cookie, Authorization, Proxy-Authorization and X-Api-Key at /info and in mirrors, instead of their lengths'
complete -c wsecho -n "__fish_wsecho_needs_command" -l no-status -d 'Do not show at /status what the server does'
complete -c wsecho -n "__fish_wsecho_needs_command" -l no-fallback -d 'Do not serve the echoes for networks without WebSocket: POST /echo, /sse and /poll'
complete -c wsecho -n "__fish_wsecho_needs_command" -s v -l verbose -d 'Log a line for each connection that opens or ends; given twice, for each frame too'
complete -c wsecho -n "__fish_wsecho_needs_command" -l no-pong -d 'Do not answer pings'
complete -c wsecho -n "__fish_wsecho_needs_command" -l mirror -d 'Send the request as JSON in the first message'
complete -c wsecho -n "__fish_wsecho_needs_command" -l exact -d 'Ignore all of these, in flags and URLs: echo exactly'
complete -c wsecho -n "__fish_wsecho_needs_command" -s h -l help -d 'Print this'
complete -c wsecho -n "__fish_wsecho_needs_command" -s V -l version -d 'Print the version'
complete -c wsecho -n "__fish_wsecho_needs_command" -f -a "healthcheck" -d 'Checks a server with one echoed message; exits 0 or 1'
complete -c wsecho -n "__fish_wsecho_needs_command" -f -a "load" -d 'Loads a WebSocket server with many clients and measures it'
complete -c wsecho -n "__fish_wsecho_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wsecho -n "__fish_wsecho_using_subcommand healthcheck" -l timeout -d 'Time for the whole check [default: 2s]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand healthcheck" -l ca -d 'Trust wss:// servers whose certificate an authority in FILE has signed, PEM; for a self-signed certificate, FILE is that one' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand healthcheck" -s q -l quiet -d 'Print nothing, unless the check fails'
complete -c wsecho -n "__fish_wsecho_using_subcommand healthcheck" -l insecure -d 'Trust any certificate of a wss:// server'
complete -c wsecho -n "__fish_wsecho_using_subcommand healthcheck" -s h -l help -d 'Print this'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -s c -l connections -d 'Number of connections [default: 64]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -s d -l duration -d 'Time that is measured [default: 10s]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l warmup -d 'Time before that, under the same load [default: 1s]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l ramp -d 'Open the connections, and raise the rate, evenly over this time before the warm-up' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -s p -l pipeline -d 'Messages in flight per connection, in a closed loop: an answer lets the next one go [default: 1]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l think -d 'Pause between an answer and the next message' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l rate -d 'Messages a second over all connections, whatever the server does: an open loop. Latency counts from when a message is due' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -s s -l size -d 'Bytes of a message: 125, or 64-4096, or 90%:64,10%:64KiB. With --file all of it [default: 125]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l file -d 'Take payload from a file, over and over' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l fragments -d 'Send each message in so many frames [default: 1]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l deflate -d 'Compress: off, on (each message by itself) or takeover (with what was sent before) [default: off]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l seed -d 'The same seed gives the same messages [default: 1]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l touch -d 'With --idle, exchange N messages on each connection before it is held' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l churn -d 'Connect, exchange N messages, close, again' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l broadcast -d 'The server hands each message on to all connections, or to all others' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l template -d 'Text that each message of a broadcast stands in, at {message}; what comes back without such a message is a notice, and passes' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l slow-readers -d 'So many of the connections send and never read' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l connect-rate -d 'Connections opened a second, with --churn all the time' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l source -d 'Address to connect from, may be repeated. To 127.0.0.0/8 further ones are taken by themselves when one has no ports left' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l timeout -d 'Longest wait for an answer of any kind [default: 10s]' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l threshold -d 'What must hold, such as "p99 < 5ms", may be repeated; decides the exit status. By default "errors == 0"' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l scenario -d 'Phases one after the other, from a file in TOML; flags win over what it says' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l find-limit -d 'Search for the highest rate at which this holds: "p99 < 5ms", or 5ms for short. Each rate is tried for --duration' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l header -d '"Name: value" to send with each request, as "Authorization: Bearer TOKEN"; may be repeated. Other users of the machine see flags, but not variables. Reports do not show it' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l ca -d 'Trust wss:// servers whose certificate an authority in FILE has signed, PEM; for a self-signed certificate, FILE is that one' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l server-pid -d 'Process whose CPU time, memory and switches are read from /proc, with those that it has started, such as workers' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l hdr -d 'Write the latencies of each second as an interval log of HdrHistogram; if FILE ends in .hgrm, the percentiles of all as text' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l csv -d 'Write a row for each second' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l html -d 'Write a page with charts' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l compare -d 'Compare two reports made with --json, FILE and the one in the place of the URL' -r
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l text -d 'Send text, random letters; the default'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l binary -d 'Send binary, random bytes'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l records -d 'Send text that looks like JSON'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l no-verify -d 'Count answers without comparing them'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l idle -d 'Open the connections and hold them'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l insecure -d 'Trust any certificate of a wss:// server'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l json -d 'Report as one JSON object'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -l quiet -d 'No progress on stderr'
complete -c wsecho -n "__fish_wsecho_using_subcommand load" -s h -l help -d 'Print this'
complete -c wsecho -n "__fish_wsecho_using_subcommand help; and not __fish_seen_subcommand_from healthcheck load help" -f -a "healthcheck" -d 'Checks a server with one echoed message; exits 0 or 1'
complete -c wsecho -n "__fish_wsecho_using_subcommand help; and not __fish_seen_subcommand_from healthcheck load help" -f -a "load" -d 'Loads a WebSocket server with many clients and measures it'
complete -c wsecho -n "__fish_wsecho_using_subcommand help; and not __fish_seen_subcommand_from healthcheck load help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
