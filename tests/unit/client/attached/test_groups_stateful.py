"""Programs that share an agent, and their shard: they come and go, die, are slow or hang, and exchanges are lost."""

from collections import Counter, deque
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.order import key_of
from caxton.client.attached.schedule import Schedule
from caxton.wire.calls import Ended, Exchange
from caxton.wire.delivery import Delivery
from workers.agents.deal import Asker, Deal
from workers.agents.group import Group, Homes

MOST, CONCURRENCY, PROGRAMS = 3, 2, 3
ORDERS = ("conversation", "sender", "none")
WHO = st.integers(0, PROGRAMS - 1)


class Program:
    """What one program has. asked: exchanges on their way; answers: theirs. lapsed: it lost all, and does not know."""

    def __init__(self, order, session):
        self.session = session
        self.order = order
        self.forget()

    def forget(self):
        """It lost the line, or its lease: calls are broken off, and all begins anew."""
        self.schedule = Schedule(self.order, CONCURRENCY)
        self.running = {}
        self.asked, self.answers = deque(), deque()
        self.giving_back = self.lapsed = False


class World(RuleBasedStateMachine):
    """The shard takes exchanges as `workers.operations.attached` does; what it answers comes in order, or never.

    waiting: what is in the mailbox; given: by session and number; questions: those that are open, by session.
    """

    def __init__(self, order):
        super().__init__()
        self.order = order
        self.waiting, self.done, self.tries = deque(), [], Counter()
        self.sent = self.numbers = self.sessions = 0
        self.begun = []
        self.programs = []
        self.new_worker()
        for _ in range(PROGRAMS):
            self.programs.append(self.new_program())

    def new_worker(self):
        self.group, self.given, self.questions = Group(self.order, Homes()), {}, {}

    def new_program(self):
        self.sessions += 1
        self.join(self.sessions)
        return Program(self.order, self.sessions)

    def join(self, session):
        self.group.join(session)
        self.given.setdefault(session, {})

    # What is sent, and handled.

    @rule(
        senders=st.lists(st.tuples(st.integers(1, 4), st.sampled_from([None, None, b"c" * 16, b"d" * 16])), max_size=6)
    )
    def messages_come(self, senders):
        for sender, conversation in senders:
            self.sent += 1
            self.waiting.append(
                Envelope(self.sent.to_bytes(16), 7, sender, 5, b"", None, None, conversation, flags=DURABLE)
            )
        self.deal()

    def begin(self, program):
        while (key := program.schedule.start()) is not None:
            self.go_on(program, key)

    def go_on(self, program, key):
        some = program.schedule.begin(key, 1)
        if some:
            program.running[key] = some[0]
            self.begun.append(some[0].delivery.message)

    @rule(who=WHO, which=st.integers(0, 9), fails=st.sampled_from([False, False, False, True]))
    def a_handler_ends(self, who, which, fails):
        program = self.programs[who]
        if program.running:
            key = list(program.running)[which % len(program.running)]
            program.schedule.end(program.running.pop(key), Ended(0, [], "as planned" if fails else None))
            self.go_on(program, key)
            self.begin(program)

    # What they tell each other.

    @rule(who=WHO)
    def a_program_asks(self, who):
        program = self.programs[who]
        if program.schedule.has_news and not program.giving_back:
            program.giving_back = True
            program.asked.append((*program.schedule.collect(), program.schedule.kept(), program.schedule.seen, True))
        elif not (program.giving_back or program.asked or program.answers or program.session in self.questions):
            program.asked.append(([], [], program.schedule.kept(), program.schedule.seen, False))

    @rule(who=WHO)
    def the_shard_hears(self, who):
        program = self.programs[who]
        if not program.asked:
            return
        ended, _, kept, seen, gives_back = program.asked.popleft()
        session, member = program.session, self.group.members[program.session]
        if self.questions.pop(session, None):
            program.answers.append(([], 0, self.numbers, False, False))
        member.is_there, member.credit = True, CONCURRENCY
        back, late = [], False
        for end in ended:
            message = self.take(session, end.delivery)
            late = late or (message is None and program.lapsed)
            if message is not None:
                (self.done.append(message.message_id) if end.error is None else back.append(message))
        gone = [n for n in self.given[session] if n not in kept and (seen is None or n <= seen)]
        self.put_back(back + [self.take(session, number) for number in gone])
        self.questions[session] = program
        self.deal()
        if gives_back and self.questions.pop(session, None):
            program.answers.append(([], max(self.given[session], default=0), self.numbers, True, late))
        elif gives_back:
            answer = program.answers.pop()
            program.answers.append((*answer[:3], True, late))

    def take(self, session, number):
        if session in self.group.members and self.group.take(self.group.members[session], number):
            return self.given[session].pop(number)
        return None

    def put_back(self, some):
        self.waiting = deque(sorted([*some, *self.waiting], key=lambda message: message.message_id))

    def deal(self):
        """Deal to all whose questions are open; who is given something is answered."""
        held = {session: list(self.given[session].values()) for session in self.questions}
        before = {session: max(self.given[session], default=0) for session in self.questions}
        asked = Exchange(5, [], MOST, 0, concurrency=CONCURRENCY, order=self.order)
        share = self.group.share(len(self.waiting), self.questions)
        alone = len(self.group.members) == 1
        members = self.group.members
        asking = [Asker(members[s], asked, held[s], share, is_alone=alone) for s in self.questions]
        deal, hands = Deal(self.group, asking), {}
        drawn = [message for message in self.waiting if deal.admits(message)]
        self.waiting = deque(message for message in self.waiting if message not in drawn)
        for message, member in zip(drawn, deal.hands, strict=True):
            self.numbers += 1
            self.given[member.session][self.numbers] = message
            self.group.give(member, self.numbers, message)
            self.tries[message.message_id] += 1
            delivery = Delivery(self.numbers, self.tries[message.message_id], message)
            hands.setdefault(member.session, []).append(delivery)
        for session, hand in hands.items():
            self.questions.pop(session).answers.append((hand, before[session], self.numbers, False, False))

    @rule(who=WHO)
    def a_program_hears(self, who):
        program = self.programs[who]
        if not program.answers:
            return
        answer, before, last, gave_back, late = program.answers.popleft()
        if late:
            program.forget()
            self.questions.pop(program.session, None)
            return
        if gave_back:
            program.giving_back = False
            program.schedule.confirmed()
        program.schedule.arrived(answer, last, before)
        self.begin(program)

    # What goes wrong.

    @rule(who=WHO)
    def what_is_on_its_way_is_lost(self, who):
        self.programs[who].forget()
        self.questions.pop(self.programs[who].session, None)

    @rule(who=WHO)
    def a_program_dies(self, who):
        """And another one comes."""
        self.leave(self.programs[who].session)
        self.programs[who] = self.new_program()

    def leave(self, session):
        self.questions.pop(session, None)
        self.put_back([self.take(session, number) for number in list(self.given[session])])
        self.group.leave(session)
        del self.given[session]
        self.deal()

    @rule(who=WHO)
    def a_lease_ends(self, who):
        """The shard heard nothing of a program for long, which goes on with what it has until it is told."""
        program = self.programs[who]
        session = program.session
        if session not in self.questions:
            program.lapsed = program.lapsed or bool(self.given[session])
            self.put_back([self.take(session, number) for number in list(self.given[session])])
            self.group.members[session].is_there = False
            self.deal()

    @rule()
    def the_worker_is_replaced(self):
        """What anybody was given waits again; each program notices, and joins the group of the new one."""
        self.put_back([message for given in self.given.values() for message in given.values()])
        self.new_worker()
        for program in self.programs:
            program.forget()
            self.join(program.session)

    # What always holds.

    @invariant()
    def no_two_of_a_key_run(self):
        running = [held.delivery.message for each in self.programs if not each.lapsed for held in each.running.values()]
        assert len({key_of(self.order, message) for message in running}) == len(running)

    @invariant()
    def all_are_somewhere_once(self):
        given = [message.message_id for of_one in self.given.values() for message in of_one.values()]
        ids = [message.message_id for message in self.waiting] + given + self.done
        assert sorted(ids) == [number.to_bytes(16) for number in range(1, self.sent + 1)]

    @invariant()
    def what_begins_is_in_order(self):
        """Of a key and a sender nothing is begun before what came earlier has ended well, or was begun too."""
        pairs = {}
        for message in {message.message_id: message for message in reversed(self.begun)}.values():
            pairs.setdefault((key_of(self.order, message), message.sender), [])
        first = {}
        for message in self.begun:
            first.setdefault(message.message_id, message)
        for message in first.values():
            pairs[key_of(self.order, message), message.sender].append(message.message_id)
        assert all(one < other for ids in pairs.values() for one, other in pairwise(ids))

    @invariant()
    def the_group_knows_what_is_under_way(self):
        keys = Counter(self.group.key_of(m) for of_one in self.given.values() for m in of_one.values())
        assert {key: count for key, (_, count) in self.group._holders.items()} == keys
        for session, member in self.group.members.items():
            assert member.given.keys() == self.given[session].keys()

    def teardown(self):
        for _ in range(30 * (self.sent + 5)):
            if len(self.done) == self.sent:
                break
            for who, program in enumerate(self.programs):
                for key in list(program.running):
                    program.schedule.end(program.running.pop(key), Ended(0))
                    self.go_on(program, key)
                self.begin(program)
                self.a_program_asks(who)
                self.the_shard_hears(who)
                while program.answers:
                    self.a_program_hears(who)
        assert len(self.done) == self.sent, "all is handled in the end"
        assert len(self.done) == len(set(self.done)), "and has one end"


@pytest.mark.hypothesis
@pytest.mark.parametrize("order", ORDERS)
def test_each_message_ends_once_and_in_order(order):
    """Whoever comes, goes, dies, is slow or hangs: nothing is lost, or handled twice at once, and each order holds."""
    run_state_machine_as_test(
        lambda: World(order), settings=settings(max_examples=max(10, settings().max_examples // 2))
    )
