;; Counts down from the i64 that its message is, then answers with the same. Encoding content.
(module
  (memory (export "memory") 2)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $pointer i32) (param $length i32) (result i64)
    (local $left i64)
    (local.set $left (i64.load (local.get $pointer)))
    (loop $again
      (br_if $again (i64.ne (local.tee $left (i64.sub (local.get $left) (i64.const 1))) (i64.const 0))))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $pointer)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))))
