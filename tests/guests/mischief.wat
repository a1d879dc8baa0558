;; Counts its messages and answers with the count in 8 bytes, unless the first byte of the message asks for mischief:
;; u traps, f uses up its fuel, d is slow (a loop of bulk fills, cheap in fuel), m takes memory until it is refused,
;; p answers from beyond its memory, o answers with 60,000 bytes, e with its error code -7, s spins for the i64 that
;; stands after the s and then counts.
(module
  (memory (export "memory") 2)
  (global $count (mut i64) (i64.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func $fill (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $again)))
  (func $spin (param $left i64)
    (loop $again
      (br_if $again (i64.gt_s (local.tee $left (i64.sub (local.get $left) (i64.const 1))) (i64.const 0)))))
  (func (export "handle_message") (param $pointer i32) (param $length i32) (result i64)
    (local $asked i32)
    (global.set $count (i64.add (global.get $count) (i64.const 1)))
    (if (local.get $length) (then (local.set $asked (i32.load8_u (local.get $pointer)))))
    (if (i32.eq (local.get $asked) (i32.const 0x75)) (then (unreachable)))
    (if (i32.eq (local.get $asked) (i32.const 0x66)) (then (call $spin (i64.const 0x7fffffffffffffff))))
    (if (i32.eq (local.get $asked) (i32.const 0x64)) (then (call $fill)))
    (if (i32.eq (local.get $asked) (i32.const 0x6d))
      (then (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)))
    (if (i32.eq (local.get $asked) (i32.const 0x70)) (then (return (i64.const 0x7fffffff00000010))))
    (if (i32.eq (local.get $asked) (i32.const 0x6f)) (then (return (i64.const 0x40000ea60))))
    (if (i32.eq (local.get $asked) (i32.const 0x65)) (then (return (i64.const -7))))
    (if (i32.eq (local.get $asked) (i32.const 0x73))
      (then (call $spin (i64.load (i32.add (local.get $pointer) (i32.const 1))))))
    (i64.store (i32.const 1024) (global.get $count))
    (i64.const 0x40000000008)))
