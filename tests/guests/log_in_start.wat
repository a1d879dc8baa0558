;; Logs from its start function.
(module
  (import "caxton_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 1024) "born")
  (func $born (call $log (i32.const 1) (i32.const 1024) (i32.const 4)))
  (start $born)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))
