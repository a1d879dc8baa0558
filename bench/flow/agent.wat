;; An agent of a graph: what it says to each performative lies in its memory, made beforehand, but for the hops that are
;; left and the sender of what it handles. Encoding msgpack. It knows just the one shape of message that a client and the
;; agents of a graph send, in the order in which a worker writes it: performative, sender and receiver of nine bytes each,
;; and four bytes of content. With any other content it traps. What follows its comments is put in by guests.py.
(module
  (memory (export "memory") 3)
  ;; data
  (global $times (mut i32) (i32.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 131072))
  (func (export "handle_message") (param $at i32) (param $length i32) (result i64)
    (local $letter i32) (local $hops i32) (local $sender i64)
    ;; The map's head and "performative"; then its value, after a head that says its length.
    (local.set $letter (i32.load8_u offset=15 (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.and (i32.load8_u offset=14 (local.get $at)) (i32.const 31))))
    (local.set $sender (i64.load offset=23 (local.get $at)))
    (if (i32.eq (local.get $letter) (i32.const 102)) (then (return (i64.const 0)))) ;; a failure ends here
    (if (i32.ne (i32.load16_u offset=57 (local.get $at)) (i32.const 0x04c4)) (then (unreachable)))
    (local.set $hops (i32.load offset=59 (local.get $at)))
    (if (i32.eq (local.get $letter) (i32.const 114)) (then
        ;; request
        (return (i64.const 0))))
    (if (i32.eq (local.get $letter) (i32.const 113)) (then
        ;; query-ref
        (return (i64.const 0))))
    (if (i32.eq (local.get $letter) (i32.const 105)) (then
        ;; inform
        (return (i64.const 0))))
    (i64.const 0)))
