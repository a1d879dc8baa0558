%% The same work between two Erlang VMs: one process answers, one asks and keeps many messages under way.
%% The client reads its orders from standard input, one a line, and answers each with one line:
%%   rate UnderWay Milliseconds         ->  Answered Microseconds
%%   alone Milliseconds                 ->  P50 P99, nanoseconds
%% An answer that differs from its request is never taken. The end of the input ends both VMs.
-module(echo).
-export([ask/1, answer/0, end_with/1]).

%% Answers every request with what was in it.
answer() ->
    receive
        {From, Ref, Content} ->
            From ! {Ref, Content},
            answer()
    end.

%% Asks a process on the node that is named, which is waited for, with contents of so many bytes.
ask([NodeName, Payload]) ->
    Node = list_to_atom(NodeName),
    ok = await(Node, 300),
    spawn(Node, ?MODULE, end_with, [node()]),
    Echo = spawn_link(Node, ?MODULE, answer, []),
    io:format("~s~n", [erlang:system_info(otp_release)]),
    obey(Echo, binary:copy(<<"x">>, list_to_integer(Payload))),
    erlang:halt().

await(Node, Tries) when Tries > 0 ->
    case net_adm:ping(Node) of
        pong -> ok;
        pang -> timer:sleep(50), await(Node, Tries - 1)
    end.

%% Ends the VM that answers as soon as the one that asks is gone, for whatever reason.
end_with(Here) ->
    erlang:monitor_node(Here, true),
    receive {nodedown, Here} -> erlang:halt() end.

obey(Echo, Content) ->
    case io:get_line("") of
        eof -> ok;
        Line ->
            order(string:lexemes(string:trim(Line), " "), Echo, Content),
            obey(Echo, Content)
    end.

order(["rate", UnderWay, Milliseconds], Echo, Content) ->
    Began = now_ns(),
    End = Began + list_to_integer(Milliseconds) * 1000000,
    Count = list_to_integer(UnderWay),
    [send(Echo, Content) || _ <- lists:seq(1, Count)],
    Answered = keep_asking(Count, Echo, Content, End, 0),
    io:format("~b ~b~n", [Answered, (now_ns() - Began) div 1000]);
order(["alone", Milliseconds], Echo, Content) ->
    End = now_ns() + list_to_integer(Milliseconds) * 1000000,
    Took = lists:sort(one_at_a_time(Echo, Content, End, [])),
    Nth = fun(Share) -> lists:nth(max(1, ceil(length(Took) * Share)), Took) end,
    io:format("~b ~b~n", [Nth(0.5), Nth(0.99)]).

%% Each answer is followed by a new request until the end; then the last answers are waited for.
keep_asking(0, _, _, _, Answered) -> Answered;
keep_asking(UnderWay, Echo, Content, End, Answered) ->
    receive {_, Content} -> ok end,
    case now_ns() < End of
        true -> send(Echo, Content), keep_asking(UnderWay, Echo, Content, End, Answered + 1);
        false -> keep_asking(UnderWay - 1, Echo, Content, End, Answered + 1)
    end.

one_at_a_time(Echo, Content, End, Took) ->
    Began = now_ns(),
    Ref = send(Echo, Content),
    receive {Ref, Content} -> ok end,
    case now_ns() of
        Now when Now < End -> one_at_a_time(Echo, Content, End, [Now - Began | Took]);
        Now -> [Now - Began | Took]
    end.

send(Echo, Content) ->
    Ref = make_ref(),
    Echo ! {self(), Ref, Content},
    Ref.

now_ns() -> erlang:monotonic_time(nanosecond).
