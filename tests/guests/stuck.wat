;; Logs its message at level 1 and answers with it; never returns from one that begins with X.
(module
  (import "caxton_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $pointer i32) (param $length i32) (result i64)
    (call $log (i32.const 1) (local.get $pointer) (local.get $length))
    (if (i32.eq (i32.load8_u (local.get $pointer)) (i32.const 88)) (then (loop $again (br $again))))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $pointer)) (i64.const 32))
            (i64.extend_i32_u (local.get $length)))))
