;; Passes a request on, along the route that stands in front of its content: ids of eight bytes, big-endian, the next
;; receiver first. It goes there without this id. The last id is that of the session which asked: it has the top bit set,
;; and gets what is left as the answer. Encoding msgpack. It knows just the one shape of message that a client and another
;; relay send, in the order in which a worker writes it: performative, sender and receiver of nine bytes each, content of
;; at most 255, message_id, reply_with. With any other it traps.
(module
  (memory (export "memory") 2)
  (data (i32.const 0) "\a7content\c4")
  (data (i32.const 16) "\aareply_with\c4\10")
  (data (i32.const 32) "\81\a8messages\91\83\a8receiver\cf")
  (data (i32.const 64) "\abin_reply_to\c4\10")
  (global $end (mut i32) (i32.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  ;; The first eight bytes are enough to know a key by.
  (func $expect (param $at i32) (param $key i32)
    (if (i64.ne (i64.load (local.get $at)) (i64.load (local.get $key))) (then (unreachable))))
  (func $write (param $from i32) (param $length i32)
    (memory.copy (global.get $end) (local.get $from) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length))))
  (func (export "handle_message") (param $pointer i32) (param $length i32) (result i64)
    (local $at i32) (local $token i32)
    ;; The map's head, "performative" with its value, whose length the head of a short text says.
    (local.set $at
      (i32.add (i32.add (local.get $pointer) (i32.const 15))
               (i32.and (i32.load8_u offset=14 (local.get $pointer)) (i32.const 31))))
    ;; "sender" and "receiver", with ids of nine bytes.
    (local.set $at (i32.add (local.get $at) (i32.const 34)))
    (call $expect (local.get $at) (i32.const 0))
    (if (i32.ne (i32.load8_u offset=8 (local.get $at)) (i32.const 196)) (then (unreachable)))
    (local.set $length (i32.load8_u offset=9 (local.get $at)))
    (if (i32.lt_u (local.get $length) (i32.const 8)) (then (unreachable)))
    (local.set $at (i32.add (local.get $at) (i32.const 10)))
    ;; "message_id", with 16 bytes, stands between the content and the reply_with.
    (local.set $token (i32.add (i32.add (local.get $at) (local.get $length)) (i32.const 29)))
    (call $expect (local.get $token) (i32.const 16))
    (global.set $end (i32.const 4096))
    (call $write (i32.const 32) (i32.const 22))
    (call $write (local.get $at) (i32.const 8))
    (if (i32.ge_u (i32.load8_u (local.get $at)) (i32.const 128))
      (then (call $write (i32.const 64) (i32.const 14)))
      (else (call $write (i32.const 16) (i32.const 13))))
    (call $write (i32.add (local.get $token) (i32.const 13)) (i32.const 16))
    (call $write (i32.const 0) (i32.const 9))
    (local.set $length (i32.sub (local.get $length) (i32.const 8)))
    (i32.store8 (global.get $end) (local.get $length))
    (global.set $end (i32.add (global.get $end) (i32.const 1)))
    (call $write (i32.add (local.get $at) (i32.const 8)) (local.get $length))
    (i64.or (i64.shl (i64.const 4096) (i64.const 32))
            (i64.extend_i32_u (i32.sub (global.get $end) (i32.const 4096))))))
