;; Counts the messages that have content; answers one that has none with the count, 8 bytes, the lowest first.
;; Encoding content.
(module
  (memory (export "memory") 2)
  (global $count (mut i64) (i64.const 0))
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32) (param $length i32) (result i64)
    (if (result i64) (local.get $length)
      (then (global.set $count (i64.add (global.get $count) (i64.const 1))) (i64.const 0))
      (else (i64.store (i32.const 1024) (global.get $count)) (i64.const 0x40000000008)))))
